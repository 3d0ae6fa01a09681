import NIOCore
import ProtoFraming

@testable import ProtoRPC

/// A server's connection under any frames, while calls end, time passes and the server drains: a stream is answered once,
/// no more calls run than may, and a drained connection closes when nothing is owed any more.
func fuzzServerConnection(_ input: ByteBuffer) {
    var connection = Connection()
    var input = input
    while connection.step(&input) {}
    connection.end()
}

private struct Connection {
    private static let maximumStreams = 4

    private var machine = ServerConnectionStateMachine<UInt32>(maximumStreams: maximumStreams, strictStreamIDs: false)
    private var now = NIODeadline.uptimeNanoseconds(1)
    /// Streams whose task runs, and those of them that are owed an answer.
    private var tasks: [UInt32] = []
    private var owed: Set<UInt32> = []
    private var isDraining = false

    /// One event; false at the end of the input.
    mutating func step(_ input: inout ByteBuffer) -> Bool {
        guard let event = input.readInteger(as: UInt8.self) else { return false }
        switch event % 8 {
        case 0...2: return self.receive(&input, .request)
        case 3: return self.receive(&input, .data)
        case 4: return self.receive(&input, nil)
        case 5: self.endTask(event / 8)
        case 6: self.passTime(event / 8)
        default: self.drain(event / 8)
        }
        self.checkClosing()
        return true
    }

    mutating func end() {
        let cancelled = self.machine.connectionClosed()
        check(Set(cancelled) == self.owed, "\(cancelled) were cancelled, \(self.owed) were owed an answer")
    }

    /// A frame; nil stands for one over the limit.
    private mutating func receive(_ input: inout ByteBuffer, _ type: FrameType?) -> Bool {
        guard let (streamID, flags, timeout) = input.readMultipleIntegers(as: (UInt16, UInt8, Int8).self) else {
            return false
        }
        let id = UInt32(streamID)
        let flagSet = FrameFlags(rawValue: flags)
        switch type {
        case .request?: self.request(id, flagSet, timeout: Int64(timeout))
        case nil:
            let kind: FrameType = timeout < 0 ? .request : .data
            let header = FrameHeader(length: 5 << 20, streamID: id, type: kind, flags: flagSet)
            self.act(self.machine.oversizedReceived(header, maximumDataBytes: 4 << 20))
        default: self.act(self.machine.dataReceived(streamID: id, flags: flagSet))
        }
        self.checkClosing()
        return true
    }

    private mutating func request(_ id: UInt32, _ flags: FrameFlags, timeout: Int64) {
        switch self.machine.requestReceived(streamID: id, flags: flags) {
        case .ignore: fatalError("an open connection ignores a request")
        case .answer(_, let call): self.answered(call)
        case .readEnvelope:
            check(!self.tasks.contains(id), "\(id) was used again while it runs")
            let isStream = flags.contains(.remoteOpen)
            let action = self.machine.start(
                id,
                streamID: id,
                isStream: isStream,
                timeoutNanoseconds: timeout,
                now: self.now
            )
            guard case .run = action else { return self.machine.refused(streamID: id, flags: flags) }
            check(!self.isDraining, "a call was taken while the server drains")
            check(timeout >= 0, "a call was taken whose time is over")
            self.tasks.append(id)
            self.owed.insert(id)
            check(self.tasks.count <= Self.maximumStreams, "\(self.tasks.count) calls run")
        }
    }

    private mutating func act(_ action: ServerConnectionStateMachine<UInt32>.FrameAction) {
        switch action {
        case .ignore: break
        case .deliver(let call): check(self.owed.contains(call), "data for \(call), which is over")
        case .answer(_, let call): self.answered(call)
        }
    }

    /// An answer went out before the call's task ended.
    private mutating func answered(_ call: UInt32?) {
        guard let call else { return }
        check(self.owed.remove(call) != nil, "\(call) is answered twice")
    }

    private mutating func endTask(_ choice: UInt8) {
        guard !self.tasks.isEmpty else { return }
        let id = self.tasks.remove(at: Int(choice) % self.tasks.count)
        let isOwed = self.owed.remove(id) != nil
        let action = self.machine.finished(streamID: id)
        check((action == .sendAnswer) == isOwed, "\(id): \(action), owed: \(isOwed)")
    }

    private mutating func passTime(_ nanoseconds: UInt8) {
        self.now = self.now + .nanoseconds(Int64(nanoseconds))
        for (streamID, call) in self.machine.timerFired(now: self.now).expired {
            check(streamID == call, "\(streamID) expired as \(call)")
            self.answered(call)
        }
    }

    /// The steps of a drain, or as often as not another end of a task.
    private mutating func drain(_ choice: UInt8) {
        let action: ServerConnectionStateMachine<UInt32>.DrainAction
        switch choice {
        case 28: action = self.machine.pinged(nonce: 1)
        case 29: action = self.machine.drainNoticeEnded()
        case 30: action = self.machine.drain(isWatched: true, nonce: 1)
        case 31: action = self.machine.drain(isWatched: false, nonce: 1)
        default: return self.endTask(choice)
        }
        guard action == .tellLast else { return }
        check(!self.isDraining, "the last notice goes out twice")
        self.isDraining = true
    }

    private func checkClosing() {
        let shouldClose = self.isDraining && self.owed.isEmpty
        check(self.machine.shouldClose == shouldClose, "should close: \(self.machine.shouldClose), owed \(self.owed)")
    }
}
