import CurlHTTP
import Testing

struct HTTPDateTests {
    @Test("T-15 dates in all forms of RFC 9110 are read, and nothing else")
    func forms() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
        ] {
            #expect(HTTPDate.unixSeconds(text) == 784_111_777)
        }
        for text in ["", "soon", "-1", "\u{0}"] { #expect(HTTPDate.unixSeconds(text) == nil, "\(text)") }
    }
}
