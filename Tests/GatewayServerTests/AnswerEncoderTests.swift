import GatewayAPI
import NIOCore
import Testing

@testable import GatewayServer

/// What answers of the event loop look like on the wire (RFC 9112).
@Suite
struct AnswerEncoderTests {
    private static func head(_ status: Int = 200, contentLength: Int? = nil) -> AnswerHead {
        AnswerHead(
            status: status,
            contentType: "application/json",
            contentLength: contentLength,
            tier: .default,
            requestID: "req_1",
            milliseconds: 7,
            date: "Thu, 01 Jan 1970 00:00:00 GMT"
        )
    }

    private static let stays = HTTPConnectionStateMachine.AnswerManner(closes: false, isHTTP10: false)
    private static let http10 = HTTPConnectionStateMachine.AnswerManner(closes: true, isHTTP10: true)

    private static func text(_ output: AnswerEncoder.Output) -> String {
        [output.bytes, output.large ?? ByteBuffer(), output.behind ?? ByteBuffer()].map { String(buffer: $0) }.joined()
    }

    @Test("A10-01 a small answer is one buffer, head and body")
    func small() {
        var encoder = AnswerEncoder()
        let output = encoder.begin(Self.head(contentLength: 2), Self.stays, ByteBuffer(string: "{}"), isEnd: true)
        #expect(output.large == nil && output.behind == nil && !encoder.endsWithConnection)
        #expect(
            String(buffer: output.bytes) == """
                HTTP/1.1 200 OK\r
                content-type: application/json\r
                x-backfill-service-tier: default\r
                content-length: 2\r
                x-request-id: req_1\r
                openai-processing-ms: 7\r
                date: Thu, 01 Jan 1970 00:00:00 GMT\r
                \r
                {}
                """
        )
    }

    @Test("A10-02 an answer of unknown length goes in chunks, and its last chunk comes with its end only")
    func chunks() {
        var encoder = AnswerEncoder()
        let first = Self.text(encoder.begin(Self.head(), Self.stays, ByteBuffer(string: "0123456789ab"), isEnd: false))
        #expect(
            first.contains("\r\ntransfer-encoding: chunked\r\n") && first.hasSuffix("\r\n\r\nc\r\n0123456789ab\r\n")
        )
        #expect(!first.contains("content-length") && !encoder.endsWithConnection)
        #expect(Self.text(encoder.goOn(ByteBuffer(string: "x"), isEnd: false)) == "1\r\nx\r\n")
        #expect(Self.text(encoder.goOn(ByteBuffer(), isEnd: false)) == "")
        #expect(Self.text(encoder.goOn(ByteBuffer(string: "y"), isEnd: true)) == "1\r\ny\r\n0\r\n\r\n")
        #expect(Self.text(encoder.goOn(ByteBuffer(), isEnd: true)) == "0\r\n\r\n")
    }

    @Test("a large piece is not copied, whether in chunks or not", arguments: [nil, 20_000], [false, true])
    func large(_ contentLength: Int?, _ isEnd: Bool) {
        var encoder = AnswerEncoder()
        let piece = ByteBuffer(repeating: 0x61, count: 20_000)
        let output = encoder.begin(Self.head(contentLength: contentLength), Self.stays, piece, isEnd: isEnd)
        #expect(output.large == piece)
        let before = String(buffer: output.bytes)
        #expect(before.hasSuffix(contentLength == nil ? "\r\n\r\n4e20\r\n" : "\r\n\r\n"))
        #expect(
            output.behind.map { String(buffer: $0) }
                == (contentLength.map { _ in nil } ?? (isEnd ? "\r\n0\r\n\r\n" : "\r\n"))
        )
    }

    @Test("T-36 HTTP/1.0 gets no chunks: a body of unknown length ends with the connection")
    func oldVersion() {
        var encoder = AnswerEncoder()
        let first = Self.text(encoder.begin(Self.head(), Self.http10, ByteBuffer(string: "ab"), isEnd: false))
        #expect(first.hasPrefix("HTTP/1.0 200 OK\r\n") && first.hasSuffix("\r\nconnection: close\r\n\r\nab"))
        #expect(!first.contains("transfer-encoding") && !first.contains("content-length"))
        #expect(encoder.endsWithConnection)
        #expect(Self.text(encoder.goOn(ByteBuffer(string: "c"), isEnd: true)) == "c")
        #expect(Self.text(encoder.goOn(ByteBuffer(), isEnd: true)) == "")
    }

    @Test("an answer that has no body gets none, and no length of one")
    func noBody() {
        var encoder = AnswerEncoder()
        let output = Self.text(
            encoder.begin(Self.head(204, contentLength: 2), Self.stays, ByteBuffer(string: "{}"), isEnd: true)
        )
        #expect(output.hasPrefix("HTTP/1.1 204 No Content\r\n") && output.hasSuffix("GMT\r\n\r\n"))
        #expect(!output.contains("content-length") && !output.contains("transfer-encoding"))
    }

    @Test("a content type cannot end its line", arguments: ["a\r\nx: y", "a\nb", "a\0", "a\u{7F}"])
    func hostileContentType(_ text: String) {
        var encoder = AnswerEncoder()
        var head = Self.head(contentLength: 0)
        head.contentType = text
        let output = Self.text(encoder.begin(head, Self.stays, ByteBuffer(), isEnd: true))
        #expect(!output.contains("content-type") && !output.contains("x: y"))
    }

    @Test("the tier is told if the request came so far", arguments: [nil, ServiceTier.default, .flex])
    func tier(_ tier: ServiceTier?) {
        var encoder = AnswerEncoder()
        var head = Self.head(contentLength: 0)
        head.tier = tier
        let output = Self.text(encoder.begin(head, Self.stays, ByteBuffer(), isEnd: true))
        let lines = output.split(separator: "\r\n").filter { $0.hasPrefix("x-backfill-service-tier:") }
        let name = tier.map { $0 == .flex ? "flex" : "default" }
        #expect(lines == (name.map { ["x-backfill-service-tier: \($0)"] } ?? []))
    }

    @Test("streams of events are marked, and other fields are told")
    func fields() {
        var encoder = AnswerEncoder()
        var head = Self.head(429)
        head.isEvents = true
        head.others = [(name: "retry-after", value: "1")]
        let output = Self.text(encoder.begin(head, Self.stays, ByteBuffer(), isEnd: false))
        #expect(output.hasPrefix("HTTP/1.1 429 Too Many Requests\r\n"))
        for line in ["cache-control: no-cache", "x-accel-buffering: no", "retry-after: 1"] {
            #expect(output.contains("\r\n\(line)\r\n"))
        }
    }
}
