import GatewayAccess
import NIOHTTP1
import Testing

@testable import GatewayServer

/// What is found in a request's header fields, whatever their names' case and order.
@Suite
struct RequestFieldsTests {
    @Test("all fields are found in one pass, by names in any case")
    func all() {
        let fields = RequestFields([
            "HOST": "a", "Content-Length": "12", "Expect": "100-continue", "Upgrade": "h2c",
            "CONTENT-TYPE": "application/json", "X-Request-ID": "mine", "Transfer-Encoding": "chunked",
            "Authorization": "Bearer k", "OpenAI-Project": "p", "OpenAI-Organization": "o", "x-other": "1",
            "TraceParent": "00-1", "TraceState": "a=1",
        ])
        #expect(fields.hosts == 1 && fields.contentLength == "12" && fields.hasBody)
        #expect(fields.expectations == ["100-continue"] && fields.asksUpgrade)
        #expect(fields.contentType == "application/json" && fields.requestID == "mine")
        #expect(fields.transferCodings == ["chunked"])
        #expect(fields.traceParent == "00-1" && fields.traceState == "a=1")
        #expect(fields.credentials == Credentials(authorization: "Bearer k", organization: "o", project: "p"))
    }

    @Test("names of the same length, and those that differ by the bit of the case only, are others")
    func others() {
        let fields = RequestFields([
            "hosu": "a", "eXpecu": "x", "content-typf": "text", "content-lengti": "9", "x\r{request-id": "no",
            "content\rtype": "text",
        ])
        #expect(fields.hosts == 0 && fields.expectations.isEmpty && fields.contentType == nil && !fields.hasBody)
        #expect(fields.requestID == nil)
    }

    @Test("T-36 fields that repeat are counted, the first one tells, and credentials are joined")
    func repeated() {
        let fields = RequestFields([
            "host": "a", "Host": "b", "content-length": "0", "content-length": "3", "content-type": "one",
            "content-type": "two", "x-request-id": "one", "x-request-id": "two", "transfer-encoding": "gzip",
            "transfer-encoding": "chunked",
            "authorization": "Bearer a", "authorization": "Bearer b",
            "traceparent": "00-1", "traceparent": "00-2", "tracestate": "a=1", "tracestate": "b=2",
        ])
        #expect(fields.hosts == 2 && fields.contentLength == "0" && fields.hasBody)
        #expect(fields.contentType == "one" && fields.requestID == "one")
        #expect(fields.transferCodings == ["gzip", "chunked"])
        #expect(fields.credentials.authorization == "Bearer a, Bearer b")
        #expect(fields.traceParent == "00-1, 00-2" && fields.traceState == "a=1, b=2")
    }

    @Test("a length of 0 is no body, a transfer coding tells of one")
    func noBody() {
        #expect(RequestFields(["transfer-encoding": "chunked"]).hasBody)
        #expect(!RequestFields(["content-length": "0"]).hasBody)
        #expect(!RequestFields([:]).hasBody)
    }
}
