import NIOCore
import NIOEmbedded
import NIOHTTP1

/// What SwiftNIO's decoder, which is llhttp, makes of bytes.
struct ReferenceAnswer {
    private(set) var status: Int?
    private(set) var body: [UInt8] = []
    private(set) var isComplete = false
    /// Why it was refused.
    private(set) var error: HTTPParserError?

    private let channel = EmbeddedChannel()

    /// Begins to read the answer to a request.
    init(toHead: Bool) throws {
        try self.channel.pipeline.syncOperations.addHandler(ByteToMessageHandler(HTTPResponseDecoder()))
        let request = HTTPRequestHead(version: .http1_1, method: toHead ? .HEAD : .GET, uri: "/")
        try self.channel.writeOutbound(HTTPClientRequestPart.head(request))
    }

    /// Reads more bytes.
    mutating func read(_ bytes: ArraySlice<UInt8>) throws {
        do {
            try self.channel.writeInbound(ByteBuffer(bytes: bytes))
        } catch let error as HTTPParserError {
            self.error = error
        } catch let error as NIOHTTPDecoderError where error == .unsolicitedResponse {
            // Bytes behind the end, which begin another answer.
        }
        while let part = try self.channel.readInbound(as: HTTPClientResponsePart.self) {
            switch part {
            case .head(let head): self.status = Int(head.status.code)
            case .body(let bytes): self.body += bytes.readableBytesView
            case .end: self.isComplete = true
            }
        }
    }

    /// No more is read.
    func close() {
        // It is an error that the answer is not complete, which nobody asked.
        _ = try? self.channel.finish()
    }
}
