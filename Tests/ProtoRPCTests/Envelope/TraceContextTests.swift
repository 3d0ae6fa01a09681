import Testing

@testable import ProtoRPC

/// `traceparent` and `tracestate` by W3C Trace Context.
@Suite struct TraceContextTests {
    private static let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    private static func state(_ text: String) -> String? {
        TraceContext(parent: self.parent, state: text)?.state
    }

    @Test(
        "G6-07 a well-formed parent stays as it is, those of later versions included",
        arguments: [
            parent,
            "00-00000000000000000000000000000001-0000000000000001-ff",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-the-future-will-be-like",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-" + String(repeating: "x", count: 200),
        ]
    )
    func parents(_ text: String) {
        #expect(TraceContext(parent: text, state: nil)?.parent == text)
    }

    @Test(
        "G6-07 any other is none",
        arguments: [
            "", "00", "00-", "\u{0}",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "0g-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333-011",
            "00_0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331_01",
            " 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            parent + "-", parent + "-more", parent + ", " + parent,
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.more",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-a b",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-\r\na: b",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-é",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-" + String(repeating: "x", count: 201),
        ]
    )
    func noParents(_ text: String) {
        #expect(TraceContext(parent: text, state: "a=b") == nil)
    }

    @Test("G6-07 without a parent there is no state either")
    func noParent() {
        #expect(TraceContext(parent: nil, state: "a=b") == nil)
    }

    @Test(
        "G6-07 a well-formed state stays as it is",
        arguments: [
            "a=b", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "a=1 , b=2\t,\tc=3", "a=1,,b=2,", "fw529a3039@dt=x y!",
            "1a_-*/=\"~<>;:", String(repeating: "k", count: 256) + "=" + String(repeating: "v", count: 256),
            (1...32).map { "k\($0)=v" }.joined(separator: ","),
            (1...4).map { "k\($0)=" + String(repeating: "v", count: 253) }.joined(separator: ","),
        ]
    )
    func states(_ text: String) {
        #expect(Self.state(text) == text)
    }

    @Test(
        "G6-07 any other is left out, and the parent stays",
        arguments: [
            "", " ", ",", "a", "a=", "=b", "a=b=c", "A=b", "a b=c", "a =b", "@a=b", "_a=b", "a=b,a=c", "a=\u{7f}",
            "a=é",
            "a=b\r\nc: d", "a=b\0", String(repeating: "k", count: 257) + "=v",
            "k=" + String(repeating: "v", count: 257), (1...33).map { "k\($0)=v" }.joined(separator: ","),
            (1...9).map { "k\($0)=" + String(repeating: "v", count: 250) }.joined(separator: ","),
        ]
    )
    func noStates(_ text: String) {
        #expect(TraceContext(parent: Self.parent, state: text) == TraceContext(parent: Self.parent, state: nil))
        #expect(TraceContext(parent: Self.parent, state: text)?.state == nil)
    }

    @Test("G6-07 a state of the longest size is taken, one byte more is not")
    func longest() {
        let members = (1...8).map { "k\($0)=" + String(repeating: "v", count: 252) }.joined(separator: ",")
        let rest = TraceContext.maximumStateBytes - members.utf8.count
        let longest = members + String(repeating: ",", count: rest)
        #expect(Self.state(longest) == longest)
        #expect(Self.state(longest + ",") == nil)
    }

    @Test("G6-07 a call's trace is read from its metadata")
    func metadata() {
        let pairs = [("traceparent", Self.parent), ("tracestate", "a=b")]
        let trace = RPCContext(metadata: RPCMetadata(pairs)).trace
        #expect(trace == TraceContext(parent: Self.parent, state: "a=b"))
        #expect(trace?.fields.map(\.name) == ["traceparent", "tracestate"])
        #expect(trace?.fields.map(\.value) == [Self.parent, "a=b"])
        #expect(RPCContext(metadata: RPCMetadata([("tracestate", "a=b")])).trace == nil)
        #expect(RPCContext(metadata: RPCMetadata([("traceparent", "00-\r\n")])).trace == nil)
    }
}
