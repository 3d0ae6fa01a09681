import NIOCore
import ProtoFraming

/// What one connection's peer may do and what has to be answered, on the server's side. No I/O: events in, actions out.
///
/// `Call` stands for a running call; the machine only keeps it to say which one to cancel. A call holds its place until
/// its task has ended, also when its answer has gone out already, so that the limit bounds the tasks.
struct ServerConnectionStateMachine<Call> {
    private enum Stream {
        /// The handler runs and owes the answer.
        case running(Call, deadline: NIODeadline?)
        /// The answer has gone out before the handler ended; what the handler gives is dropped.
        case answered
    }

    private enum Phase {
        case open
        /// Running calls may end, new ones are refused.
        case draining
        case closed
    }

    enum OpenAction {
        /// Read the envelope, then call `start` or `refuse`.
        case readEnvelope
        /// Answer with an error, and cancel the call that had the id.
        case answer(RPCError, cancel: Call?)
        case ignore
    }

    enum StartAction: Equatable {
        /// Run the handler, and set the timer if there is a time.
        case run(setTimer: NIODeadline?)
        case answer(RPCError)
    }

    enum FrameAction {
        case ignore
        /// Answer with an error, and cancel the call that had the id.
        case answer(RPCError, cancel: Call?)
    }

    enum FinishAction: Equatable {
        case sendAnswer
        case dropAnswer
    }

    struct Expiry {
        /// Answer each with DEADLINE_EXCEEDED and cancel it.
        var expired: [(streamID: UInt32, call: Call)]
        var setTimer: NIODeadline?
    }

    private let maximumStreams: Int
    private var phase = Phase.open
    private var streamIDs: StreamIDWindow
    private var streams: [UInt32: Stream] = [:]
    private var unansweredStreams = 0
    private var refusedStreams = RefusedStreams()
    private var alarm = StreamAlarm()

    init(maximumStreams: Int, strictStreamIDs: Bool) {
        self.maximumStreams = maximumStreams
        self.streamIDs = StreamIDWindow(isStrict: strictStreamIDs)
    }

    /// Whether a draining connection has nothing left to answer and should close.
    var shouldClose: Bool {
        self.phase == .draining && self.unansweredStreams == 0
    }

    /// A request frame came in. Decides by its header alone.
    mutating func requestReceived(streamID: UInt32, flags: FrameFlags) -> OpenAction {
        guard self.phase != .closed else { return .ignore }
        if let violation = self.useStreamID(streamID) {
            return .answer(violation, cancel: self.markAnswered(streamID))
        }
        if let refusal = self.refusal(of: flags) {
            if flags.contains(.remoteOpen) {
                self.refusedStreams.insert(streamID)
            }
            return .answer(refusal, cancel: nil)
        }
        return .readEnvelope
    }

    private func refusal(of flags: FrameFlags) -> RPCError? {
        if self.phase == .draining {
            return RPCError(code: .unavailable, message: "draining: the server takes no new calls")
        }
        if flags.contains(.remoteOpen) {
            return RPCError(code: .unimplemented, message: "the server has no streaming methods")
        }
        if self.streams.count >= self.maximumStreams {
            return .limit("more than \(self.maximumStreams) calls in flight on a connection")
        }
        return nil
    }

    /// The envelope of a request just accepted is good.
    mutating func start(
        _ call: Call,
        streamID: UInt32,
        timeoutNanoseconds: Int64,
        now: NIODeadline
    ) -> StartAction {
        if timeoutNanoseconds < 0 {
            return .answer(.deadlineExceeded)
        }
        var deadline: NIODeadline?
        if timeoutNanoseconds > 0 {
            deadline = now + min(.nanoseconds(timeoutNanoseconds), .longest)
        }
        self.streams[streamID] = .running(call, deadline: deadline)
        self.unansweredStreams += 1
        return .run(setTimer: deadline.flatMap { self.alarm.include($0) })
    }

    /// A data frame came in. No method takes any, so it is the rest of a refused stream or a violation.
    mutating func dataReceived(streamID: UInt32, flags: FrameFlags) -> FrameAction {
        guard self.phase != .closed else { return .ignore }
        if self.refusedStreams.contains(streamID) {
            if flags.contains(.remoteClosed) {
                self.refusedStreams.remove(streamID)
            }
            return .ignore
        }
        if case .running = self.streams[streamID] {
            let error = RPCError.protocolViolation("data on the stream of a unary call")
            return .answer(error, cancel: self.markAnswered(streamID))
        }
        return .answer(.protocolViolation("StreamID is no longer active"), cancel: nil)
    }

    /// A frame over the limit began; its data is being discarded (G5-03).
    mutating func oversizedReceived(_ header: FrameHeader, maximumDataBytes: Int) -> FrameAction {
        guard self.phase != .closed else { return .ignore }
        let error = RPCError.limit("a frame of \(header.length) bytes; at most \(maximumDataBytes) are taken")
        switch header.type {
        case .request:
            let violation = self.useStreamID(header.streamID)
            if violation == nil, header.flags.contains(.remoteOpen) {
                self.refusedStreams.insert(header.streamID)
            }
            return .answer(violation ?? error, cancel: self.markAnswered(header.streamID))
        case .data:
            if self.refusedStreams.contains(header.streamID) { return .ignore }
            return .answer(error, cancel: self.markAnswered(header.streamID))
        default:
            return .ignore
        }
    }

    /// The task of a call ended.
    mutating func finished(streamID: UInt32) -> FinishAction {
        guard case .running = self.streams.removeValue(forKey: streamID) else { return .dropAnswer }
        self.unansweredStreams -= 1
        return .sendAnswer
    }

    /// The timer fired.
    mutating func timerFired(now: NIODeadline) -> Expiry {
        var expiry = Expiry(expired: [], setTimer: nil)
        for (streamID, stream) in self.streams {
            guard case .running(let call, let deadline?) = stream else { continue }
            if deadline <= now {
                expiry.expired.append((streamID, call))
            } else {
                expiry.setTimer = min(deadline, expiry.setTimer ?? deadline)
            }
        }
        for (streamID, _) in expiry.expired {
            _ = self.markAnswered(streamID)
        }
        self.alarm.rearm(expiry.setTimer)
        return expiry
    }

    /// The server is about to stop. Look at `shouldClose` afterwards.
    mutating func drain() {
        if self.phase == .open {
            self.phase = .draining
        }
    }

    /// The connection is gone; nothing can be answered any more. Calls are cancelled with the connection's task.
    mutating func connectionClosed() {
        self.phase = .closed
        self.streams = [:]
        self.unansweredStreams = 0
        self.refusedStreams = RefusedStreams()
        self.alarm.rearm(nil)
    }

    private mutating func useStreamID(_ streamID: UInt32) -> RPCError? {
        switch self.streamIDs.use(streamID) {
        case .fresh: nil
        case .invalid: .protocolViolation("StreamID must be odd for client initiated streams and below 2^31")
        case .reused: .protocolViolation("StreamID cannot be re-used and must increment")
        }
    }

    /// A response ends a stream for both sides (G2-07): the call that has the id must not answer again.
    private mutating func markAnswered(_ streamID: UInt32) -> Call? {
        guard case .running(let call, _) = self.streams[streamID] else { return nil }
        self.streams[streamID] = .answered
        self.unansweredStreams -= 1
        return call
    }
}

extension RPCError {
    /// The time for a call is over.
    static let deadlineExceeded = RPCError(code: .deadlineExceeded, message: "the deadline has passed")
}
