import NIOCore
import TestSupport
import Testing

@testable import GatewayAPI

/// A stream of events as it is passed on.
struct EventStreamStateMachineTests {
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
    private static let error = APIError(status: 502, message: "gone", code: "engine_connection_error")
    private static let event = "data: " + String(buffer: error.json.encoded()) + "\n\n"

    private func stream(_ pieces: [String]) -> EventStreamStateMachine {
        var stream = EventStreamStateMachine(keepAlive: .seconds(10), now: Self.start)
        for piece in pieces { stream.passed(ByteBuffer(string: piece), now: Self.start) }
        return stream
    }

    @Test(
        "A10-04 an error is an event of its own, wherever the stream breaks off",
        arguments: [
            ([], ""), (["data: 1\n\n"], ""), (["data: 1\r\n\r\n"], ""), (["data: 1\r\r"], ""),
            (["data: 1\n", "\n"], ""),
            (["data: 1\r\n", "\r", "\n"], ""), (["\n"], ""), ([": comment\n\n"], ""),
            (["data: 1\n"], "\n"), (["data: 1\r\n"], "\n"), (["data: 1\r", "\n"], "\n"),
            (["data: 1\n\nevent: x\n"], "\n"),
            // An LF would be the second half of the line end that has come.
            (["data: 1\r"], "\n\n"), (["data: 1", "\r"], "\n\n"),
            (["data: 1"], "\n\n"), (["d"], "\n\n"), (["data: 1\n\ndata"], "\n\n"), (["data: 1\n\n", "\ndata"], "\n\n"),
        ] as [([String], String)]
    )
    func errors(_ pieces: [String], _ expected: String) {
        #expect(String(buffer: self.stream(pieces).end(Self.error)) == expected + Self.event)
    }

    @Test("A10-09 where pieces end says nothing: byte by byte is as the whole")
    func pieces() {
        var random = SeededGenerator(seed: 7)
        for _ in 0..<2_000 {
            let bytes = (0..<Int.random(in: 0...12, using: &random)).map { _ in
                ["a", "\n", "\r", "\r\n", "\n\n", ": "].randomElement(using: &random) ?? ""
            }
            .joined()
            let whole = self.stream([bytes])
            var single = EventStreamStateMachine(keepAlive: .seconds(10), now: Self.start)
            for byte in bytes.utf8 { single.passed(ByteBuffer(bytes: [byte]), now: Self.start) }
            #expect(single.end(Self.error) == whole.end(Self.error), "\(bytes.debugDescription)")
        }
    }

    @Test("A10-08 a comment comes after a silence between events, once each")
    func keepAlive() {
        var stream = self.stream(["data: 1\n\n"])
        #expect(stream.tick(now: Self.start + .seconds(9)) == nil)
        #expect(stream.tick(now: Self.start + .seconds(10)) == ByteBuffer(string: ": keep-alive\n\n"))
        #expect(stream.tick(now: Self.start + .seconds(19)) == nil)
        stream.passed(ByteBuffer(string: "data: 2\n\n"), now: Self.start + .seconds(19))
        #expect(stream.tick(now: Self.start + .seconds(28)) == nil)
        #expect(stream.tick(now: Self.start + .seconds(29)) != nil)
    }

    @Test("A10-08 nothing is put inside an event", arguments: ["data", "data: 1\n", "data: 1\r", "data: 1\r\n"])
    func insideAnEvent(_ piece: String) {
        var stream = self.stream([piece])
        #expect(stream.tick(now: Self.start + .seconds(100)) == nil)
        stream.passed(ByteBuffer(string: "\n\n"), now: Self.start + .seconds(100))
        #expect(stream.tick(now: Self.start + .seconds(110)) != nil)
    }
}
