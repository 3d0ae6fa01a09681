import GatewayAPI
import NIOCore
import ProtoMessages
import ProtoRPC
import Testing

@testable import GatewayServer

/// What becomes of an engine's answer.
struct OnlineAnswerStateMachineTests {
    private typealias Machine = OnlineAnswerStateMachine
    private static let start = NIODeadline.uptimeNanoseconds(0)
    private static let gone = RPCError(code: .unknown, message: "gone")

    private static func machine(
        status: UInt32 = 200,
        _ contentType: String = "application/json",
        bytes: UInt64? = nil,
        retryAfter: UInt32? = nil
    ) -> Machine {
        var machine = Machine(keepAlive: .seconds(15))
        var head = InferAnswerHead(status: status, contentType: contentType)
        head.contentBytes = bytes
        head.retryAfterMilliseconds = retryAfter
        let action = machine.received(.head(head), now: Self.start)
        #expect(action == .none)
        return machine
    }

    private static func piece(_ text: String) -> InferenceArrival { .piece(ByteBuffer(string: text)) }

    @Test("A10-01 a small answer is written at once, with the length that it has")
    func small() {
        var machine = Self.machine(bytes: 4)
        #expect(machine.received(Self.piece("ab"), now: Self.start) == .none)
        #expect(machine.received(Self.piece("cd"), now: Self.start) == .none)
        let head = Machine.Head(status: 200, contentType: "application/json", contentLength: 4)
        #expect(
            machine.received(.end, now: Self.start)
                == .write(head: head, bytes: ByteBuffer(string: "abcd"), isEnd: true)
        )
        #expect(machine.received(.end, now: Self.start) == .none)
    }

    @Test("A10-04 a small answer that breaks off is an error")
    func smallBroken() {
        var machine = Self.machine(bytes: 4)
        _ = machine.received(Self.piece("ab"), now: Self.start)
        #expect(machine.received(.failed(Self.gone), now: Self.start) == .refuse(APIError(inference: Self.gone)))
    }

    @Test("a long answer passes piece by piece, and the connection ends when it breaks off")
    func long() {
        var machine = Self.machine(bytes: 1 << 20)
        let head = Machine.Head(status: 200, contentType: "application/json", contentLength: 1 << 20)
        #expect(
            machine.received(Self.piece("ab"), now: Self.start)
                == .write(head: head, bytes: ByteBuffer(string: "ab"), isEnd: false)
        )
        #expect(
            machine.received(Self.piece("cd"), now: Self.start)
                == .write(head: nil, bytes: ByteBuffer(string: "cd"), isEnd: false)
        )
        var short = machine
        #expect(short.received(.end, now: Self.start) == .cut, "fewer bytes than were announced")
        #expect(machine.received(.failed(Self.gone), now: Self.start) == .cut)
    }

    @Test("more bytes than were announced are never written: the client would take them for another answer")
    func tooMany() {
        var machine = Self.machine(bytes: 70_000)
        let piece = InferenceArrival.piece(ByteBuffer(repeating: 1, count: 70_001))
        #expect(machine.received(piece, now: Self.start) == .refuse(.internalError))
        var small = Self.machine(bytes: 3)
        let large = InferenceArrival.piece(ByteBuffer(repeating: 1, count: 70_001))
        #expect(small.received(large, now: Self.start) == .refuse(.internalError))
    }

    @Test("A9-05 errors that clients can read pass as they are, and 429 and 503 say a time")
    func errors() {
        for (status, milliseconds, seconds) in [(429, nil, 1), (429, 2_500, 3), (400, nil, nil)]
            as [(UInt32, UInt32?, Int?)]
        {
            var machine = Self.machine(status: status, retryAfter: milliseconds)
            _ = machine.received(Self.piece("{}"), now: Self.start)
            let head = Machine.Head(
                status: Int(status),
                contentType: "application/json",
                contentLength: 2,
                retryAfterSeconds: seconds
            )
            #expect(
                machine.received(.end, now: Self.start)
                    == .write(head: head, bytes: ByteBuffer(string: "{}"), isEnd: true)
            )
        }
    }

    @Test("what no client could read is replaced", arguments: [(500, "no JSON"), (503, ""), (302, nil)])
    func unreadable(_ status: Int, _ body: String?) {
        var machine = Machine(keepAlive: .seconds(15))
        let head = InferAnswerHead(status: UInt32(status), contentType: "text/html")
        var action = machine.received(.head(head), now: Self.start)
        if let body {
            _ = body.isEmpty ? .none : machine.received(Self.piece(body), now: Self.start)
            action = machine.received(.end, now: Self.start)
        }
        var error = EngineError.unreadable(status: status)
        error.retryAfterSeconds = status == 503 ? 1 : nil
        #expect(action == .refuse(error))
    }

    @Test("A10-08 events pass as they come; the head goes with the first of them")
    func events() {
        var machine = Self.machine("text/event-stream; charset=utf-8")
        #expect(machine.isEventStream)
        var head = Machine.Head(status: 200, contentType: "text/event-stream; charset=utf-8")
        head.isEvents = true
        let event = ByteBuffer(string: "data: 1\n\n")
        #expect(machine.received(.piece(event), now: Self.start) == .write(head: head, bytes: event, isEnd: false))
        #expect(machine.received(.piece(event), now: Self.start) == .write(head: nil, bytes: event, isEnd: false))
        #expect(
            machine.received(.end, now: Self.start) == .write(head: nil, bytes: ByteBuffer(), isEnd: true)
        )
    }

    @Test("A10-04 events that break off are an error before the first, and end with one behind it")
    func eventsBroken() {
        var machine = Self.machine("text/event-stream")
        var early = machine
        #expect(early.received(.failed(Self.gone), now: Self.start) == .refuse(APIError(inference: Self.gone)))
        _ = machine.received(Self.piece("data: 1\n\n"), now: Self.start)
        guard case .write(nil, let bytes, true) = machine.received(.failed(Self.gone), now: Self.start) else {
            Issue.record("the stream does not end")
            return
        }
        #expect(String(buffer: bytes).hasPrefix("data: {\"error\":"))
    }

    @Test("A10-08 silence brings the head and comments")
    func silence() {
        var machine = Self.machine("text/event-stream")
        #expect(machine.tick(now: Self.start + .seconds(14)) == .none)
        guard case .write(let head?, let comment, false) = machine.tick(now: Self.start + .seconds(15)) else {
            Issue.record("nothing is written")
            return
        }
        #expect(head.isEvents && String(buffer: comment) == ": keep-alive\n\n")
        #expect(machine.tick(now: Self.start + .seconds(29)) == .none)
        #expect(
            machine.tick(now: Self.start + .seconds(30)) == .write(head: nil, bytes: comment, isEnd: false)
        )
    }
}
