import Testing

@testable import CurlHTTP

/// What a field cannot be.
private let noField = "the answer's header has a line that is no field"
private let controlByte = "the answer's header holds a control byte"

/// An answer with this line among its fields, and no body.
private func read(field line: String, sourceLocation: SourceLocation = #_sourceLocation) -> ReadAnswer {
    read("HTTP/1.1 200 OK\r\n\(line)\r\nContent-Length: 0\r\n\r\n", sourceLocation: sourceLocation)
}

@Suite struct StatusLineTests {
    @Test(
        "RFC 9112, 4: a status line has a version, a status and perhaps a reason",
        arguments: [
            ("HTTP/1.1 200 OK", 200), ("HTTP/1.0 404 Not Found", 404), ("HTTP/1.1 200 ", 200), ("HTTP/1.1 200", 200),
            ("HTTP/1.1 503 so much to do; Zoë\t", 503), ("HTTP/1.1 999 x", 999), ("HTTP/1.9 200 OK", 200),
        ]
    )
    func good(_ line: String, _ status: Int) {
        let answer = read("\(line)\r\nContent-Length: 1\r\n\r\na")
        #expect(answer.status == status)
        #expect(answer.text == "a")
        #expect(answer.end == .complete)
    }

    @Test(
        "what does not begin as HTTP/1 does is no answer",
        arguments: [
            "HTTP/2 200 OK", "HTTP/2.0 200 OK", "HTTP/1 200 OK", "HTTP/1.x 200 OK", "HTTP/1.10 200 OK",
            "http/1.1 200 OK", "ICY 200 OK", "<html>nothing else</html>", "", " HTTP/1.1 200 OK", "HTTP/1.1",
            "HTTP/1.1 ",
            "HTTP/1.1\t200 OK", "HTTP/1.1  200 OK", "HTTP/1.1 1000 OK", "HTTP/1.1 20", "HTTP/1.1 200OK",
            "HTTP/1.1 200\tOK",
        ]
    )
    func noAnswer(_ line: String) {
        #expect(read("\(line)\r\n\r\n").refusal == "what came is no answer of HTTP/1")
    }

    @Test(
        "a status has three digits and is at least 100",
        arguments: [
            ("2x0", "number"), ("-20", "number"), ("+20", "number"), ("20 ", "number"), ("099", "status"),
            ("000", "status"),
        ]
    )
    func badStatus(_ status: String, _ what: String) {
        #expect(read("HTTP/1.1 \(status) OK\r\n\r\n").refusal == "the answer's status is no \(what)")
    }

    @Test("a reason holds no control bytes", arguments: ["O\0K", "OK\rX: y", "\u{7F}", "O\u{1}"])
    func badReason(_ reason: String) {
        #expect(read("HTTP/1.1 200 \(reason)\r\n\r\n").refusal == controlByte)
    }

    @Test func aHeadThatIsNotCompleteWaitsForTheRest() {
        #expect(read("").end == .open)
        #expect(!ResponseHead().hasBegun)
        #expect(read("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r").end == .open)
        #expect(read("HTTP/1.1 200 OK").end == .open)
        #expect(read("garbage that has no line's end").end == .open)
    }
}

@Suite struct InterimAnswerTests {
    @Test("RFC 9110, 15.2: interim answers are passed over, and so are their fields")
    func passedOver() {
        let answer = read(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\nContent-Length: 9\r\n"
                + "Transfer-Encoding: chunked\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 2\r\nX: y\r\n\r\nab"
        )
        #expect(answer.status == 201)
        #expect(answer.text == "ab")
        #expect(answer.head?.fields["link"] == nil)
        #expect(answer.head?.fields["x"] == "y")
        #expect(answer.head?.isPersistent == true)
        #expect(answer.end == .complete)
    }

    @Test func onlyTheFinalAnswerTellsThatTheConnectionIsKept() {
        let final = "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"
        #expect(read("HTTP/1.1 100 a\r\nConnection: keep-alive\r\n\r\n\(final)").head?.isPersistent == false)
        #expect(read("HTTP/1.1 100 a\r\nConnection: close\r\n\r\n\(final)").head?.isPersistent == false)
    }

    @Test("RFC 9112, 2.2: a field cannot be continued over the end of an interim answer's head")
    func continuations() {
        let answer = read(
            "HTTP/1.1 100 a\r\nContent-Length: 1\r\n\r\nHTTP/1.1 200 OK\r\n continued\r\nContent-Length: 1\r\n\r\na"
        )
        #expect(answer.text == "a")
    }

    @Test func nobodyAskedForAnotherProtocol() {
        #expect(
            read("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n").refusal
                == "the answer changes the protocol, unasked"
        )
    }

    @Test func anInterimAnswerAloneIsNoAnswer() {
        let answer = read("HTTP/1.1 100 Continue\r\n\r\n")
        #expect(answer.head == nil)
        #expect(answer.end == .open)
    }
}

@Suite struct FieldTests {
    @Test("RFC 9112, 2.2: a line may end with a line feed alone")
    func lineFeeds() {
        let answer = read("HTTP/1.1 200 OK\nX: y\r\nContent-Length: 1\n\nab")
        #expect(answer.head?.fields["x"] == "y")
        #expect(answer.text == "a")
        #expect(answer.unread == 1)
    }

    @Test(
        "RFC 9110, 5.5: a value has no blanks around it",
        arguments: ["X:y z", "X: y z", "X:\t y z \t", "x: y z  ", "X: y z\r"]
    )
    func values(_ line: String) {
        // The line's end has a carriage return of its own or not.
        let answer = read("HTTP/1.1 200 OK\r\n\(line)\nContent-Length: 0\r\n\r\n")
        #expect(answer.head?.fields["X"] == "y z")
        #expect(answer.end == .complete)
    }

    @Test func aValueMayBeEmptyAndHoldAnyOtherByte() {
        #expect(read(field: "X:").head?.fields["x"] == "")
        #expect(read(field: "X: \t ").head?.fields["x"] == "")
        #expect(read(field: "X: a:b;c=\"d\", Zoë\te").head?.fields["x"] == "a:b;c=\"d\", Zoë\te")
        let bytes = Array("HTTP/1.1 200 OK\r\nX: ".utf8) + [0x80, 0xFF] + Array("\r\nContent-Length: 0\r\n\r\n".utf8)
        #expect(read(bytes).end == .complete)
    }

    @Test func theFirstFieldOfANameIsFound() {
        let answer = read(field: "Set: a\r\nSetter: b\r\nSET: c\r\nset: d")
        #expect(answer.head?.fields["set"] == "a")
        #expect(answer.head?.fields["se"] == nil)
        #expect(answer.head?.fields["HTTP/1.1 200 OK"] == nil)
    }

    @Test(
        "RFC 9112, 5.1: a line without a name right before its colon is no field",
        arguments: [
            "X y", "X", ":", ": y", "X : y", "X\t: y", "X y: z", "Content-Length : 5", "Transfer-Encoding\t: chunked",
            "X\0: y", "X\u{7F}: y", "Zoë: y", "\r", "X\r: y",
        ]
    )
    func noFields(_ line: String) {
        #expect(read(field: line).refusal == noField)
    }

    @Test(
        "RFC 9110, 5.5: a value holds no control bytes",
        arguments: ["X: \0", "X: a\0b", "X: a\rb", "X: a\r\r", "X: \u{1}", "X: \u{1F}", "X: \u{7F}", "X: a\r\n b\0"]
    )
    func controlBytes(_ line: String) {
        #expect(read(field: line).refusal == controlByte)
    }

    @Test("RFC 9112, 5.2: what is continued on the next line is read up to its first end")
    func continuations() {
        let answer = read(field: "X: y\r\n z\r\n\tContent-Length: 7\r\n \r\nA: b")
        #expect(answer.head?.fields["x"] == "y")
        #expect(answer.head?.fields["a"] == "b")
        #expect(answer.head?.contentLength == 0)
        #expect(answer.end == .complete)
    }

    @Test(
        "a field that tells the answer's end, or the connection's, is not continued",
        arguments: [
            "Content-Length: 0\r\n 1", "Transfer-Encoding: chunked\r\n\t", "Connection: keep-alive\r\n , close",
        ]
    )
    func continuedFraming(_ line: String) {
        #expect(read(field: line).refusal == "a field that tells the answer's end is continued")
    }

    @Test("a header is at most 64 KiB, interim answers included")
    func bound() {
        let bound = 64 << 10
        let interim = "HTTP/1.1 100 Continue\r\nX: y\r\n\r\n"
        let start = "\(interim)HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: "
        func answer(_ bytes: Int) -> String {
            start + String(repeating: "x", count: bytes - start.utf8.count - 4) + "\r\n\r\n"
        }
        let tooLarge = "the answer's header is larger than \(bound) bytes"
        #expect(read(answer(bound)).end == .complete)
        #expect(read(answer(bound + 1)).refusal == tooLarge)
        #expect(read(String(repeating: "x", count: bound)).end == .open)
        #expect(read(String(repeating: "x", count: bound + 1)).refusal == tooLarge)
        let interims = String(repeating: interim, count: bound / interim.utf8.count)
        #expect(read(interims).end == .open)
        #expect(read(interims + interim).refusal == tooLarge)
    }
}
