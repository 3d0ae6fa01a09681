import NIOCore
import ProtoFraming
import TestSupport
import Testing

@testable import ProtoRPC

@Suite struct ServerStreamStateMachineTests {
    private let message = ByteBuffer(string: "message")

    private func machine(_ kind: StreamKind, _ flags: FrameFlags? = nil, payload: String = "")
        -> ServerStreamStateMachine
    {
        ServerStreamStateMachine(kind: kind, flags: flags ?? kind.openingFlags, payload: ByteBuffer(string: payload))
    }

    // MARK: - Opening

    @Test(
        "G4 a call that takes a single message has it, and then its end",
        arguments: [StreamKind.unary, .serverStream]
    )
    func singleMessage(_ kind: StreamKind) {
        for flags: FrameFlags in [[], .remoteClosed] {
            for payload in ["only", ""] {
                var machine = self.machine(kind, flags, payload: payload)
                #expect(machine.next() == .message(ByteBuffer(string: payload), resume: false))
                #expect(machine.next() == .end)
            }
        }
    }

    @Test("G5-05 of messages that come together as many are taken as there is room for, and none when none may come")
    func run() throws {
        let run = try #require(messageRun(100))
        var machine = self.machine(.clientStream)
        #expect(machine.dataReceived(run) == 64)
        #expect(machine.dataReceived(run) == 0)
        #expect(machine.next() == .message(ByteBuffer(string: "0"), resume: true))
        machine.end(.deadlineExceeded)
        #expect(machine.dataReceived(run) == 0)
        var single = self.machine(.serverStream)
        #expect(single.dataReceived(run) == 0)
    }

    @Test(
        "G5-12 an open without a payload, or that says it has none, holds no message",
        arguments: [StreamKind.clientStream, .bidirectional]
    )
    func opens(_ kind: StreamKind) {
        for (flags, payload) in [(UInt8(0x02), ""), (0x06, ""), (0x06, "ignored")] {
            var machine = self.machine(kind, FrameFlags(rawValue: flags), payload: payload)
            #expect(machine.next() == .wait, "flags \(flags)")
        }
        var machine = self.machine(kind, .remoteOpen, payload: "first")
        #expect(machine.next() == .message(ByteBuffer(string: "first"), resume: false))
        #expect(machine.next() == .wait)
    }

    @Test("G2-05 a stream that its client opens closed has the payload as its only message")
    func openedClosed() {
        var machine = self.machine(.bidirectional, .remoteClosed, payload: "only")
        #expect(machine.next() == .message(ByteBuffer(string: "only"), resume: false))
        #expect(machine.next() == .end)
        machine = self.machine(.clientStream, [.remoteClosed, .noData])
        #expect(machine.next() == .end)
    }

    @Test("G2-05 only methods that take streams are opened open", arguments: StreamKind.allCases)
    func refusal(_ kind: StreamKind) {
        #expect(ServerStreamStateMachine.refusal(of: [], kind: kind) == nil)
        #expect(ServerStreamStateMachine.refusal(of: .remoteClosed, kind: kind) == nil)
        let error = ServerStreamStateMachine.refusal(of: [.remoteOpen, .noData], kind: kind)
        #expect(error?.code == (kind.clientSendsData ? nil : .unimplemented))
    }

    // MARK: - Messages

    @Test("G2-06 a zero-length message is delivered, G4-01 the half-close is none")
    func emptyMessage() {
        var machine = self.machine(.bidirectional)
        #expect(machine.dataReceived(flags: [], data: ByteBuffer()) == .accepted)
        #expect(machine.dataReceived(flags: .noData, data: ByteBuffer()) == .accepted)
        #expect(machine.dataReceived(flags: .endOfData, data: ByteBuffer()) == .accepted)
        #expect(machine.next() == .message(ByteBuffer(), resume: false))
        #expect(machine.next() == .end)
        #expect(machine.next() == .end)
    }

    @Test("G2-06 a closing frame without bytes and without 0x04 is an empty message and the end")
    func closingEmptyMessage() {
        var machine = self.machine(.clientStream)
        #expect(machine.dataReceived(flags: .remoteClosed, data: ByteBuffer()) == .accepted)
        #expect(machine.next() == .message(ByteBuffer(), resume: false))
        #expect(machine.next() == .end)
    }

    @Test("G4-01 data that closes and carries bytes is processed, then answered INVALID_ARGUMENT; the handler goes on")
    func closeWithData() {
        var machine = self.machine(.bidirectional)
        let error = RPCError(code: .invalidArgument, message: "data close message cannot include data")
        #expect(machine.dataReceived(flags: .remoteClosed, data: self.message) == .answer(error, cancel: false))
        #expect(machine.next() == .message(self.message, resume: false))
        #expect(machine.next() == .end)
        #expect(!machine.maySend)
        #expect(machine.finish(failed: false) == nil)
    }

    @Test("G4-01 bytes behind the flag 0x04 are no message")
    func bytesWithoutMessage() {
        var machine = self.machine(.bidirectional)
        let error = RPCError(code: .invalidArgument, message: "data close message cannot include data")
        #expect(machine.dataReceived(flags: .endOfData, data: self.message) == .answer(error, cancel: false))
        #expect(machine.next() == .end)
    }

    @Test("G4-02 data behind the half-close ends the stream in error")
    func dataAfterClose() {
        for flags: FrameFlags in [[], .endOfData] {
            var machine = self.machine(.bidirectional)
            _ = machine.dataReceived(flags: .endOfData, data: ByteBuffer())
            let error = RPCError(code: .invalidArgument, message: "data handling error: stream closed")
            #expect(machine.dataReceived(flags: flags, data: ByteBuffer()) == .answer(error, cancel: true))
            #expect(machine.next() == .failed(error))
            #expect(
                machine.dataReceived(flags: flags, data: ByteBuffer()) == .answer(.streamIsNotActive, cancel: false)
            )
        }
    }

    @Test("G5-06 data on a call that takes none ends it", arguments: [StreamKind.unary, .serverStream])
    func unexpectedData(_ kind: StreamKind) {
        var machine = self.machine(kind)
        guard case .answer(let error, cancel: true) = machine.dataReceived(flags: [], data: self.message) else {
            Issue.record("not refused")
            return
        }
        #expect(error.code == .invalidArgument)
        #expect(machine.finish(failed: false) == nil)
    }

    // MARK: - The window

    @Test("G5-05 64 messages wait, the next is not taken and is refused in the end")
    func window() {
        var machine = self.machine(.clientStream)
        for _ in 0..<64 {
            #expect(machine.dataReceived(flags: [], data: self.message) == .accepted)
        }
        #expect(machine.dataReceived(flags: [], data: self.message) == .windowFull)
        #expect(machine.windowExceeded() == .answer(.windowExceeded, cancel: true))
        #expect(RPCError.windowExceeded.code == .resourceExhausted)
        #expect(machine.next() == .failed(.windowExceeded))
        #expect(machine.windowExceeded() == .answer(.streamIsNotActive, cancel: false))
    }

    @Test("G5-05 a frame that was not taken is asked for once when the consumer has taken up what waits")
    func resume() {
        var machine = self.machine(.clientStream)
        for _ in 0..<64 { _ = machine.dataReceived(flags: [], data: self.message) }
        #expect(machine.dataReceived(flags: [], data: ByteBuffer()) == .windowFull)
        for count in 1...40 {
            #expect(machine.next() == .message(self.message, resume: count == 1), "message \(count)")
        }
        #expect(machine.dataReceived(flags: [], data: ByteBuffer()) == .accepted)
    }

    @Test("G6-02 a megabyte and its envelopes wait, but a single message may be longer")
    func windowBytes() {
        let large = ByteBuffer(repeating: 1, count: StreamInbox.maximumBytes + StreamInbox.maximumEnvelopeBytes + 1)
        var machine = self.machine(.clientStream)
        #expect(machine.dataReceived(flags: [], data: large) == .accepted)
        #expect(machine.dataReceived(flags: [], data: ByteBuffer()) == .windowFull)
        #expect(machine.next() == .message(large, resume: true))
        let half = ByteBuffer(repeating: 1, count: StreamInbox.maximumBytes / 2)
        #expect(machine.dataReceived(flags: [], data: half) == .accepted)
        #expect(machine.dataReceived(flags: [], data: half) == .accepted)
        let envelopes = ByteBuffer(repeating: 1, count: StreamInbox.maximumEnvelopeBytes)
        #expect(machine.dataReceived(flags: [], data: envelopes) == .accepted)
        #expect(machine.dataReceived(flags: [], data: self.message) == .windowFull)
    }

    @Test("G5-05 the half-close of a full stream needs no room")
    func closeFull() {
        var machine = self.machine(.clientStream)
        for _ in 0..<64 { _ = machine.dataReceived(flags: [], data: self.message) }
        #expect(machine.dataReceived(flags: .endOfData, data: ByteBuffer()) == .accepted)
    }

    // MARK: - The end

    @Test("G4 streams of messages end by an empty data frame 0x05, other calls by a response, errors by a response")
    func terminals() {
        #expect(FrameFlags.endOfData.rawValue == 0x05)
        for kind in StreamKind.allCases {
            var machine = self.machine(kind)
            #expect(machine.maySend == kind.serverSendsData)
            #expect(machine.finish(failed: false) == (kind.serverSendsData ? .endOfData : .response))
            machine = self.machine(kind)
            #expect(machine.finish(failed: true) == .response)
        }
    }

    @Test("G4-03 nothing follows the terminal frame", arguments: StreamKind.allCases)
    func oneTerminal(_ kind: StreamKind) {
        for failed in [false, true] {
            var machine = self.machine(kind)
            #expect(machine.finish(failed: failed) != nil)
            #expect(machine.finish(failed: false) == nil)
            #expect(!machine.maySend)
            #expect(machine.dataReceived(flags: [], data: self.message) == .answer(.streamIsNotActive, cancel: false))
        }
        var machine = self.machine(kind)
        machine.end(.deadlineExceeded)
        #expect(!machine.maySend)
        #expect(machine.finish(failed: true) == nil)
        #expect(machine.next() == .failed(.deadlineExceeded))
    }

    @Test("a stream that is ended from outside drops what waits")
    func ended() {
        var machine = self.machine(.bidirectional)
        _ = machine.dataReceived(flags: [], data: self.message)
        machine.end(.deadlineExceeded)
        #expect(machine.hasNext)
        #expect(machine.next() == .failed(.deadlineExceeded))
    }

    @Test("random frames: no message is lost, doubled or reordered, one terminal at most", arguments: 0..<50)
    func random(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        let kind = StreamKind.allCases.randomElement(using: &random) ?? .bidirectional
        var machine = self.machine(kind)
        var expected: [ByteBuffer] = kind.clientSendsData ? [] : [ByteBuffer()]
        var terminals = 0
        var isOver = false
        for step in 0..<400 {
            switch Int.random(in: 0...9, using: &random) {
            case 0...4:
                let flags = FrameFlags(rawValue: UInt8([0, 0, 0, 0, 0, 4, 5].randomElement(using: &random) ?? 0))
                let data = flags.isEmpty ? ByteBuffer(integer: step) : ByteBuffer()
                switch machine.dataReceived(flags: flags, data: data) {
                case .accepted where flags.isEmpty: expected.append(data)
                case .accepted: break
                case .windowFull:
                    let range = StreamInbox.maximumMessages...2 * StreamInbox.maximumMessages
                    #expect(range.contains(expected.count), "seed \(seed)")
                case .answer(_, let cancel):
                    if !isOver { terminals += 1 }
                    if cancel { expected = [] }
                    isOver = true
                }
            case 5...8:
                if case .message(let message, _) = machine.next() {
                    #expect(!expected.isEmpty && message == expected.removeFirst(), "seed \(seed) step \(step)")
                } else {
                    #expect(expected.isEmpty, "seed \(seed) step \(step)")
                }
            default:
                guard step > 300, machine.finish(failed: false) != nil else { continue }
                terminals += 1
                isOver = true
            }
        }
        #expect(terminals <= 1, "seed \(seed)")
    }
}
