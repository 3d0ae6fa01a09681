import CCurl
import Testing

@testable import CurlHTTP

/// The lines by reference, since expectations cannot change a value.
private final class Lines {
    private var lines = HeaderLines()

    func write(_ headers: [HTTPHeader]) -> Bool { self.lines.write(headers) }

    var textBytes: Int { self.lines.text.count }

    /// As libcurl finds them.
    var texts: [String] {
        var texts: [String] = []
        var node = self.lines.list
        while let line = node {
            if let text = line.pointee.data { texts.append(String(cString: text)) }
            node = line.pointee.next
        }
        return texts
    }
}

struct HeaderLinesTests {
    @Test func eachRequestHasItsOwnLines() {
        let lines = Lines()
        let type = HTTPHeader(name: "content-type", value: "application/json")
        #expect(lines.write([type, HTTPHeader(name: "x-request-id", value: "request-1")]))
        #expect(lines.texts == ["Expect:", "content-type: application/json", "x-request-id: request-1"])
        #expect(lines.write([type]))
        #expect(lines.texts == ["Expect:", "content-type: application/json"])
        #expect(lines.write([]))
        #expect(lines.texts == ["Expect:"])
    }

    @Test func longAndManyLinesHaveRoom() {
        let lines = Lines()
        let many = (0..<50).map { HTTPHeader(name: "x-\($0)", value: String(repeating: "é", count: 500)) }
        #expect(lines.write(many))
        #expect(lines.texts == ["Expect:"] + many.map { "\($0.name): \($0.value)" })
        #expect(lines.write([HTTPHeader(name: "a", value: "")]))
        #expect(lines.texts == ["Expect:", "a: "])
        #expect(lines.textBytes <= 4 << 10, "what only a long request needed is not kept")
    }

    @Test(arguments: [
        HTTPHeader(name: "a", value: "b\r\nc: d"), HTTPHeader(name: "a", value: "b\0"),
        HTTPHeader(name: "a", value: "b\u{7F}"), HTTPHeader(name: "a\u{7F}", value: "b"),
        HTTPHeader(name: "", value: "b"), HTTPHeader(name: "a b", value: "c"), HTTPHeader(name: "a:", value: "c"),
    ])
    func whatWouldEndALineIsRefused(_ header: HTTPHeader) {
        let lines = Lines()
        #expect(!lines.write([HTTPHeader(name: "x", value: "y"), header]))
        #expect(lines.write([HTTPHeader(name: "x", value: "y")]))
        #expect(lines.texts == ["Expect:", "x: y"])
    }
}
