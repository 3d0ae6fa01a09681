import Testing

@testable import CurlHTTP

/// An answer with this body, which is in chunks.
private func read(chunks: String, sourceLocation: SourceLocation = #_sourceLocation) -> ReadAnswer {
    read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\(chunks)", sourceLocation: sourceLocation)
}

@Suite struct ChunkedBodyTests {
    @Test(
        "RFC 9112, 7.1: chunks have sizes in hexadecimal, in any case, with zeros before them",
        arguments: [
            ("a", 10), ("A", 10), ("0a", 10), ("00000000000000F", 15), ("1f", 31), ("1F", 31), ("100", 256),
        ]
    )
    func sizes(_ size: String, _ bytes: Int) {
        let data = String(repeating: "x", count: bytes)
        let answer = read(chunks: "\(size)\r\n\(data)\r\n0000\r\n\r\n")
        #expect(answer.text == data)
        #expect(answer.end == .complete)
    }

    @Test(
        "a size is a number that an Int holds",
        arguments: [
            ("", "a chunk has no size"), (" 1", "a chunk has no size"), (";a", "a chunk has no size"),
            ("-1", "a chunk has no size"), ("0x1", "a chunk's size is no number"),
            ("1g", "a chunk's size is no number"),
            ("1\0", "a chunk's size is no number"), ("1 1", "a chunk's size is no number"),
            ("1\u{B}", "a chunk's size is no number"), ("1000000000000000", "a chunk's size is too large"),
            ("FFFFFFFFFFFFFFFF", "a chunk's size is too large"), ("0000000000000001", "a chunk's size is too large"),
            ("1\r", "a chunk's size has no end"), ("1\r1", "a chunk's size has no end"),
            ("1;a\rb", "a chunk's size has no end"),
        ]
    )
    func badSizes(_ size: String, _ refusal: String) {
        #expect(read(chunks: "\(size)\r\na\r\n0\r\n\r\n").refusal == refusal)
    }

    @Test func theLargestSizeIsWaitedFor() {
        let answer = read(chunks: "fffffffffffffff\r\nabc")
        #expect(answer.text == "abc")
        #expect(answer.end == .open)
    }

    @Test(
        "RFC 9112, 7.1.1: extensions are passed over",
        arguments: [";a", ";a=b", " ;a", "\t ; a = \"b;c\" ;d", " ", ";", ";;", ";\0"]
    )
    func extensions(_ text: String) {
        let answer = read(chunks: "1\(text)\r\na\r\n0\(text)\r\n\r\n")
        #expect(answer.text == "a")
        #expect(answer.end == .complete)
    }

    @Test("extensions of a chunk are at most 4 KiB", arguments: [";", " "])
    func extensionBound(_ start: String) {
        let most = start == ";" ? 4_096 : 4_095
        func answer(_ count: Int) -> ReadAnswer {
            let text = start + String(repeating: start == ";" ? "x" : " ", count: count)
            // Each chunk has the bound anew.
            return read(chunks: "1\(text)\r\na\r\n1\(text)\r\nb\r\n0\r\n\r\n")
        }
        #expect(answer(most).text == "ab")
        #expect(answer(most + 1).refusal == "a chunk's extensions are longer than 4096 bytes")
    }

    @Test(
        "a chunk has as many bytes as its size says",
        arguments: ["ab\r\n", "a b", "a\rb", "a\r\r\n", "ab", "a\n", "\r\n"]
    )
    func longChunks(_ data: String) {
        #expect(read(chunks: "1\r\n\(data)0\r\n\r\n").refusal == "a chunk is longer than its size")
    }

    @Test func aLineMayEndWithALineFeedAlone() {
        let answer = read(chunks: "1\na\r\n2;x\nbc\r\n0\nX: y\n\nZ")
        #expect(answer.text == "abc")
        #expect(answer.unread == 1)
        #expect(answer.end == .complete)
    }

    @Test(
        "an answer without its last chunk, or the line behind it, is not complete",
        arguments: [
            "", "1", "1\r", "1\r\n", "1\r\na", "1\r\na\r\n", "1\r\na\r\n0\r\n", "0\r\n", "0\r\n\r", "0\r\nX: y\r\n",
        ]
    )
    func incomplete(_ chunks: String) {
        #expect(read(chunks: chunks).end == .open)
    }

    @Test(
        "RFC 9112, 7.1.2: trailers are passed over",
        arguments: ["X: y\r\n", "X: y\r\nContent-Length: 1\r\n z\r\n", "\0\r\n"]
    )
    func trailers(_ trailers: String) {
        let answer = read(chunks: "1\r\na\r\n0\r\n\(trailers)\r\nHTTP")
        #expect(answer.text == "a")
        #expect(answer.unread == 4)
        #expect(answer.end == .complete)
        #expect(answer.head?.contentLength == nil)
    }

    @Test("a carriage return in trailers ends a line", arguments: ["\r\r\n", "X: y\rZ", "X: y\r\r\n"])
    func carriageReturns(_ trailers: String) {
        #expect(read(chunks: "0\r\n\(trailers)\r\n").refusal == "a line of the answer's trailers has no end")
    }

    @Test("trailers are at most 64 KiB")
    func trailerBound() {
        func answer(_ bytes: Int) -> ReadAnswer {
            read(chunks: "0\r\nA: b\r\n\(String(repeating: "x", count: bytes - 10))\r\n\r\n")
        }
        #expect(answer(64 << 10).end == .complete)
        #expect(answer(64 << 10 | 1).refusal == "the answer's trailers are larger than 65536 bytes")
    }
}
