import Testing

@testable import CurlHTTP

/// An answer with these fields and these bytes behind its head.
private func read(
    fields: String...,
    behind: String = "",
    version: String = "1.1",
    status: Int = 200,
    toHead: Bool = false,
    sourceLocation: SourceLocation = #_sourceLocation
) -> ReadAnswer {
    let lines = fields.map { "\($0)\r\n" }.joined()
    return read(
        "HTTP/\(version) \(status) OK\r\n\(lines)\r\n\(behind)",
        toHead: toHead,
        sourceLocation: sourceLocation
    )
}

@Suite struct BodyFramingTests {
    @Test("RFC 9112, 6.2: a body has the length that is told, and bytes behind it stay unread")
    func lengths() {
        let answer = read(fields: "content-LENGTH:  3 ", behind: "abcHTTP")
        #expect(answer.text == "abc")
        #expect(answer.unread == 4)
        #expect(answer.end == .complete)
        #expect(read(fields: "Content-Length: 3", behind: "ab").end == .open)
        #expect(read(fields: "Content-Length: 0", behind: "ab").unread == 2)
        #expect(read(fields: "Content-Length: 000000000000000003", behind: "abc").end == .complete)
        #expect(read(fields: "Content-Length: 999999999999999999", behind: "abc").end == .open)
    }

    @Test(
        "RFC 9112, 6.3: a length is a number",
        arguments: [
            "", " ", "-1", "+1", "1.0", "0x1", "1 2", "one", "1e3", "3, 3", "3,", "9999999999999999999",
            "18446744073709551617", "340282366920938463463374607431768211457", "1;", "\u{661}",
        ]
    )
    func badLengths(_ value: String) {
        #expect(read(fields: "Content-Length: \(value)").refusal == "the answer's Content-Length is no number")
    }

    @Test func theSameLengthTwiceIsThatLength() {
        #expect(read(fields: "Content-Length: 2", "Content-Length: 02", behind: "ab").end == .complete)
        #expect(
            read(fields: "Content-Length: 2", "Content-Length: 3", behind: "abc").refusal
                == "the answer has two lengths"
        )
    }

    @Test("RFC 9112, 7.1: a body comes in chunks", arguments: ["chunked", "Chunked", "\t CHUNKED \t"])
    func chunks(_ coding: String) {
        let answer = read(fields: "TRANSFER-encoding:\(coding)", behind: "1\r\na\r\n2\r\nbc\r\n0\r\n\r\nmore")
        #expect(answer.text == "abc")
        #expect(answer.unread == 4)
        #expect(answer.head?.isPersistent == true)
    }

    @Test(
        "RFC 9112, 6.1: chunked, once, is the only transfer coding",
        arguments: [
            ["gzip"], ["gzip, chunked"], ["chunked, chunked"], ["chunked", "chunked"], ["identity"], [""], ["xchunked"],
            ["chunked;a=b"], ["\"chunked\""], ["chunked", "identity"], ["chunked,"], ["chun\tked"],
        ]
    )
    func codings(_ codings: [String]) {
        let lines = codings.map { "Transfer-Encoding: \($0)\r\n" }.joined()
        let answer = read("HTTP/1.1 200 OK\r\n\(lines)\r\n0\r\n\r\n")
        #expect(answer.refusal == "the answer has a transfer coding other than chunked")
    }

    @Test("RFC 9112, 6.3: chunked wins over a length, and the connection is not kept", arguments: [true, false])
    func chunkedAndALength(_ lengthFirst: Bool) {
        let fields = ["Content-Length: 1", "Transfer-Encoding: chunked"]
        let answer = read(
            fields: fields[lengthFirst ? 0 : 1],
            fields[lengthFirst ? 1 : 0],
            "Connection: keep-alive",
            behind: "2\r\nab\r\n0\r\n\r\n"
        )
        #expect(answer.text == "ab")
        #expect(answer.end == .complete)
        #expect(answer.head?.isPersistent == false)
    }

    @Test("RFC 9112, 6.1: after chunks of an answer of HTTP/1.0 the connection is not kept")
    func chunksOfHTTP10() {
        let answer = read(
            fields: "Transfer-Encoding: chunked",
            "Connection: keep-alive",
            behind: "0\r\n\r\n",
            version: "1.0"
        )
        #expect(answer.end == .complete)
        #expect(answer.head?.isPersistent == false)
    }

    @Test("RFC 9112, 6.3: a body whose length nobody tells ends with the connection")
    func untilTheEnd() {
        let answer = read(fields: "X: y", behind: "a\r\n\r\n0\r\n\r\n")
        #expect(answer.text == "a\r\n\r\n0\r\n\r\n")
        #expect(answer.end == .untilConnectionEnds)
        #expect(read(fields: "X: y").end == .untilConnectionEnds)
    }

    @Test(
        "RFC 9112, 6.3: answers to HEAD, 204 and 304 have no body, whatever their fields say",
        arguments: ["Content-Length: 3", "Transfer-Encoding: chunked", "X: y"]
    )
    func noBody(_ field: String) {
        for (status, toHead) in [(200, true), (404, true), (204, false), (304, false)] {
            let answer = read(fields: field, behind: "abc", status: status, toHead: toHead)
            #expect(answer.end == .complete, "\(status)")
            #expect(answer.body == [])
            #expect(answer.unread == 3)
        }
        #expect(read(fields: "Content-Length: 3", behind: "abc", status: 205).text == "abc")
    }

    @Test func bytesOfABodyMayBeTakenInParts() throws {
        for behind in ["Content-Length: 5\r\n\r\nabcdeX", "Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\nX"]
        {
            try Array("HTTP/1.1 200 OK\r\n\(behind)".utf8).withUnsafeBytes { bytes in
                var parser = ResponseParser()
                var rest = bytes
                var body: [UInt8] = []
                while true {
                    let step = try parser.next(rest)
                    rest = UnsafeRawBufferPointer(rebasing: rest[step.consumed...])
                    guard step.event != .end else { break }
                    guard case .body(let count)? = step.event else { continue }
                    // Told again until it was taken.
                    #expect(try parser.next(rest) == (0, .body(count)))
                    let taken = min(count, 2)
                    body += rest[..<taken]
                    parser.took(taken)
                    rest = UnsafeRawBufferPointer(rebasing: rest[taken...])
                }
                #expect(body == Array("abcde".utf8))
                #expect(rest.count == 1)
            }
        }
    }

    @Test func onlyALengthAnnouncesWhatIsToCome() throws {
        func announced(_ answer: String) throws -> Int? {
            var parser = ResponseParser()
            _ = try Array(answer.utf8).withUnsafeBytes { try parser.next($0) }
            return parser.announcedBytes
        }
        #expect(try announced("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n") == nil)
        #expect(try announced("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n") == 7)
        #expect(try announced("HTTP/1.1 204 OK\r\nContent-Length: 7\r\n\r\n") == 0)
        #expect(try announced("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n") == nil)
        #expect(try announced("HTTP/1.1 200 OK\r\n\r\n") == nil)
    }
}

@Suite struct PersistenceTests {
    @Test(
        "RFC 9112, 9.3: a connection is kept by HTTP/1.1, and by HTTP/1.0 when the server says so",
        arguments: [
            ("1.1", [], true), ("1.0", [], false), ("1.1", ["close"], false), ("1.1", ["CLOSE"], false),
            ("1.1", ["keep-alive"], true), ("1.0", ["keep-alive"], true), ("1.0", ["Keep-Alive"], true),
            ("1.1", ["Upgrade, close"], false), ("1.1", ["upgrade,\tClose ,x"], false), ("1.1", [",,close,"], false),
            ("1.0", ["x, keep-alive"], true), ("1.0", ["keep-alive, close"], false), ("1.0", ["closed"], false),
            ("1.1", ["closed"], true), ("1.1", ["close x"], true), ("1.1", [""], true), ("1.1", ["x", "close"], false),
            ("1.1", ["close", "keep-alive"], false), ("1.0", ["keep-alive", "close"], false), ("1.2", [], true),
        ] as [(String, [String], Bool)]
    )
    func persistence(_ version: String, _ options: [String], _ isKept: Bool) {
        let lines = options.map { "cOnnection: \($0)\r\n" }.joined()
        let answer = read("HTTP/\(version) 200 OK\r\n\(lines)Content-Length: 0\r\n\r\n")
        #expect(answer.head?.isPersistent == isKept)
        #expect(answer.end == .complete)
    }
}
