import JSONSpans
import NIOCore
import NIOHTTP1

/// Writes one answer.
struct EngineReply {
    let context: ChannelHandlerContext
    let keepAlive: Bool

    var eventLoop: any EventLoop { self.context.eventLoop }

    static func quoted(_ text: String) -> String {
        var bytes: [UInt8] = []
        JSONString.appendEncoded(text, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A whole answer.
    func send(
        _ status: HTTPResponseStatus,
        _ body: String,
        contentType: String = "application/json",
        headers: [(String, String)] = []
    ) {
        self.send(
            status,
            self.context.channel.allocator.buffer(string: body),
            contentType: contentType,
            headers: headers
        )
    }

    func send(
        _ status: HTTPResponseStatus,
        _ body: ByteBuffer,
        contentType: String = "application/json",
        headers: [(String, String)] = []
    ) {
        self.head(status, contentType, [("content-length", String(body.readableBytes))] + headers)
        self.piece(body, flush: false)
        self.end()
    }

    func sendError(
        _ status: HTTPResponseStatus,
        _ message: String,
        code: String? = nil,
        headers: [(String, String)] = []
    ) {
        let code = code.map(Self.quoted) ?? "null"
        let type = status.code >= 500 ? "server_error" : "invalid_request_error"
        let body =
            "{\"error\":{\"message\":\(Self.quoted(message)),\"type\":\"\(type)\",\"param\":null,\"code\":\(code)}}"
        self.send(status, body, headers: headers)
    }

    func head(_ status: HTTPResponseStatus, _ contentType: String, _ headers: [(String, String)]) {
        var fields = HTTPHeaders([("content-type", contentType)] + headers)
        if !self.keepAlive { fields.add(name: "connection", value: "close") }
        self.write(.head(HTTPResponseHead(version: .http1_1, status: status, headers: fields)))
    }

    func piece(_ bytes: ByteBuffer, flush: Bool) {
        self.write(.body(.byteBuffer(bytes)))
        if flush { self.context.flush() }
    }

    func event(_ event: StreamEvent) {
        self.piece(self.context.channel.allocator.buffer(string: event.text), flush: true)
    }

    func end() {
        self.write(.end(nil))
        self.context.flush()
        if !self.keepAlive { self.context.close(promise: nil) }
    }

    func close() {
        self.context.flush()
        self.context.close(promise: nil)
    }

    private func write(_ part: HTTPServerResponsePart) {
        self.context.write(NIOAny(part), promise: nil)
    }
}
