import Testing

@testable import CurlHTTP

struct RequestTargetTests {
    @Test(
        "the origin is where to connect to, and the field Host says it as it was given",
        arguments: [
            ("http://engine", "http://engine", " / HTTP/1.1\r\nHost: engine\r\n"),
            ("http://engine:80/v1", "http://engine", " /v1 HTTP/1.1\r\nHost: engine\r\n"),
            ("https://Engine:443/v1?x=%20#y", "https://Engine", " /v1?x=%20 HTTP/1.1\r\nHost: Engine\r\n"),
            ("https://engine:80/", "https://engine:80", " / HTTP/1.1\r\nHost: engine:80\r\n"),
            ("http://[::1]:8000/v1/models", "http://[::1]:8000", " /v1/models HTTP/1.1\r\nHost: [::1]:8000\r\n"),
            ("http://engine?q", "http://engine", " /?q HTTP/1.1\r\nHost: engine\r\n"),
            ("http://user:secret@engine/", "http://engine", " / HTTP/1.1\r\nHost: engine\r\n"),
            ("http://[fe80::1%25eth0]:1/", "http://[fe80::1%25eth0]:1", " / HTTP/1.1\r\nHost: [fe80::1]:1\r\n"),
        ]
    )
    func aURLIsTakenApart(_ url: String, _ origin: String, _ head: String) throws {
        let target = try RequestTarget(parsing: url)
        #expect(target.origin == origin)
        #expect(target.head == head)
    }

    @Test(arguments: [
        "http://a b", "http://engine/\r\nx: y", "http://engine/\u{7F}", "http://é/", "ftp://engine/",
        "file:///etc/passwd",
        "http://", "http://engine:99999/", "",
    ])
    func whatIsNoURLIsRefused(_ url: String) {
        let error = #expect(throws: HTTPTransferError.self) { try RequestTarget(parsing: url) }
        #expect(error?.code == .invalidRequest)
        #expect(error?.mayHaveBeenSent == false)
    }

    @Test func aUserNameBecomesAField() throws {
        let target = try RequestTarget(parsing: "http://us%3Aer:p%40ss@engine/")
        #expect(target.authorization == "Authorization: Basic dXM6ZXI6cEBzcw==\r\n")
        #expect(try RequestTarget(parsing: "http://engine/").authorization.isEmpty)
    }

    @Test func targetsAndOriginsAreFoundAgainHoweverManyThereAre() throws {
        final class Connection {}
        var targets = RequestTargets<Connection>()
        for number in (0..<600).map({ $0 % 300 }) {
            let url = "http://engine/\(number)"
            let (target, origin) = try targets.target(of: url)
            #expect(target.head.hasPrefix(" /\(number) "))
            #expect(try targets.target(of: url).1 === origin)
            #expect(try targets.target(of: "http://engine/").1 === origin)
        }
    }
}
