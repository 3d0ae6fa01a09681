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
            (
                "http://us%3Aer:p%40ss@engine/", "http://engine",
                " / HTTP/1.1\r\nHost: engine\r\nAuthorization: Basic dXM6ZXI6cEBzcw==\r\n"
            ),
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

    @Test func targetsAreFoundAgainHoweverManyThereAre() throws {
        var targets = RequestTargets()
        for number in (0..<600).map({ $0 % 300 }) {
            #expect(try targets.target(of: "http://engine/\(number)").head.hasPrefix(" /\(number) "))
        }
    }
}
