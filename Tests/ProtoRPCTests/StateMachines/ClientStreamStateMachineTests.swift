import NIOCore
import ProtoFraming
import Testing

@testable import ProtoRPC

@Suite struct ClientStreamStateMachineTests {
    private typealias Machine = ClientStreamStateMachine
    private let message = ByteBuffer(string: "message")
    private let failure = RPCError(code: .aborted, message: "no")

    @Test("G5-12 streams open with 0x06, server streams with 0x01, unary calls with 0")
    func openingFlags() {
        let flags = StreamKind.allCases.map(\.openingFlags.rawValue)
        #expect(StreamKind.allCases == [.unary, .clientStream, .serverStream, .bidirectional])
        #expect(flags == [0x00, 0x06, 0x01, 0x06])
    }

    @Test("G4-01 the half-close is one empty frame 0x05, and nothing is sent behind it")
    func halfClose() {
        for kind in [StreamKind.clientStream, .bidirectional] {
            var machine = Machine(kind: kind)
            #expect(machine.send() == [])
            #expect(machine.halfClose()?.rawValue == 0x05)
            #expect(machine.halfClose() == nil)
            #expect(machine.send() == nil)
            #expect(machine.sendError.code == .failedPrecondition)
        }
    }

    @Test("G5-06 no data is ever sent at a call that takes a single message")
    func noData() {
        for kind in [StreamKind.unary, .serverStream] {
            var machine = Machine(kind: kind)
            #expect(machine.send() == nil)
            #expect(machine.halfClose() == nil)
        }
    }

    @Test("G5-05 of messages that come together as many are taken as there is room for")
    func run() throws {
        let run = try #require(messageRun(100))
        var machine = Machine(kind: .serverStream)
        #expect(machine.dataReceived(run) == 64)
        #expect(machine.dataReceived(run) == 0)
        for number in 0..<64 {
            let next = machine.next()
            #expect(next == .message(ByteBuffer(string: "\(number)"), resume: number == 0))
        }
        #expect(machine.next() == .wait)
        // Nobody wants what comes behind the end; what may not come at all is for frames to say.
        machine.fail(self.failure, atOnce: true)
        #expect(machine.dataReceived(run) == 100)
        var unary = Machine(kind: .unary)
        #expect(unary.dataReceived(run) == 0)
    }

    @Test("G4 a stream of messages ends by data 0x05", arguments: [StreamKind.serverStream, .bidirectional])
    func messages(_ kind: StreamKind) {
        var machine = Machine(kind: kind)
        #expect(machine.dataReceived(flags: [], data: self.message) == .accepted)
        #expect(machine.dataReceived(flags: [], data: ByteBuffer()) == .accepted)
        #expect(machine.next() == .message(self.message, resume: false))
        #expect(machine.dataReceived(flags: .endOfData, data: ByteBuffer()) == .ended)
        #expect(machine.isOver)
        #expect(machine.next() == .message(ByteBuffer(), resume: false), "G2-06 an empty message is one")
        #expect(machine.next() == .end)
    }

    @Test("G4-01 a last frame that carries bytes is a message and the end")
    func lastMessage() {
        var machine = Machine(kind: .serverStream)
        #expect(machine.dataReceived(flags: .remoteClosed, data: self.message) == .ended)
        #expect(machine.next() == .message(self.message, resume: false))
        #expect(machine.next() == .end)
    }

    @Test("G4 a single answer is a response", arguments: [StreamKind.unary, .clientStream])
    func singleAnswer(_ kind: StreamKind) {
        var machine = Machine(kind: kind)
        #expect(machine.next() == .wait)
        machine.responseReceived(.success(ByteBuffer()))
        #expect(machine.next() == .message(ByteBuffer(), resume: false))
        #expect(machine.next() == .end)
        #expect(machine.send() == nil)
    }

    @Test("G4 an error is a response, behind the messages that came before it", arguments: StreamKind.allCases)
    func errors(_ kind: StreamKind) {
        var machine = Machine(kind: kind)
        if kind.serverSendsData { _ = machine.dataReceived(flags: [], data: self.message) }
        machine.responseReceived(.failure(self.failure))
        if kind.serverSendsData { #expect(machine.next() == .message(self.message, resume: false)) }
        #expect(machine.next() == .failed(self.failure))
        #expect(machine.sendError == self.failure)
    }

    @Test("G5-18 a stream that ends by a response ends, and its payload is a message where there is one")
    func endedByResponse() {
        var machine = Machine(kind: .serverStream)
        machine.responseReceived(.success(ByteBuffer()))
        #expect(machine.next() == .end)
        machine = Machine(kind: .bidirectional)
        machine.responseReceived(.success(self.message))
        #expect(machine.next() == .message(self.message, resume: false))
        #expect(machine.next() == .end)
    }

    @Test("G4-03 frames behind the terminal one are nobody's", arguments: [StreamKind.serverStream, .bidirectional])
    func late(_ kind: StreamKind) {
        var machine = Machine(kind: kind)
        _ = machine.dataReceived(flags: .endOfData, data: ByteBuffer())
        #expect(machine.dataReceived(flags: [], data: self.message) == .accepted)
        machine.responseReceived(.failure(self.failure))
        machine.fail(self.failure, atOnce: true)
        #expect(machine.next() == .end)
        #expect(machine.send() == nil)
        #expect(machine.halfClose() == nil, "half-closing an ended stream would be data for an unknown one (G4-02)")
    }

    @Test("G5-18 data that answers a single-answer call fails it", arguments: [StreamKind.unary, .clientStream])
    func unexpectedData(_ kind: StreamKind) {
        var machine = Machine(kind: kind)
        #expect(machine.dataReceived(flags: [], data: self.message) == .failed)
        #expect(machine.next() == .failed(RPCError(code: .internal, message: "the server answered with a stream")))
    }

    @Test("G5-05 64 messages wait, the next is not taken until the consumer has taken them up")
    func window() {
        var machine = Machine(kind: .serverStream)
        for _ in 0..<64 {
            #expect(machine.dataReceived(flags: [], data: self.message) == .accepted)
        }
        #expect(machine.dataReceived(flags: [], data: self.message) == .windowFull)
        #expect(machine.next() == .message(self.message, resume: true))
        for _ in 0..<64 {
            #expect(machine.dataReceived(flags: [], data: ByteBuffer()) == .accepted)
        }
        #expect(machine.dataReceived(flags: [], data: ByteBuffer()) == .windowFull)
        machine.fail(.windowExceeded, atOnce: false)
        for _ in 0..<63 { #expect(machine.next() == .message(self.message, resume: false)) }
        #expect(machine.next() == .message(ByteBuffer(), resume: true))
        for _ in 0..<63 { #expect(machine.next() == .message(ByteBuffer(), resume: false)) }
        #expect(machine.next() == .failed(.windowExceeded))
    }

    @Test("a stream that its caller left, or whose time is over, drops what waits")
    func failedAtOnce() {
        var machine = Machine(kind: .serverStream)
        for _ in 0..<3 { _ = machine.dataReceived(flags: [], data: self.message) }
        #expect(machine.next() == .message(self.message, resume: false))
        _ = machine.dataReceived(flags: [], data: self.message)
        machine.fail(.deadlineExceeded, atOnce: true)
        #expect(machine.hasNext)
        #expect(machine.next() == .failed(.deadlineExceeded))
    }
}
