import NIOCore
import ProtoFraming

/// What one connection's peer may do and what has to be answered, on the server's side. No I/O: events in, actions out.
///
/// `Call` stands for a running call; the machine only keeps it to say which one to cancel. A call holds its place until
/// its task has ended, also when its answer has gone out already, so that the limit bounds the tasks.
struct ServerConnectionStateMachine<Call> {
    private enum Stream {
        /// The handler runs and owes the answer. `isStream` tells whether data frames are its call's business.
        case running(Call, deadline: NIODeadline?, isStream: Bool)
        /// The answer has gone out before the handler ended; what the handler gives is dropped.
        case answered
    }

    private enum Phase: Equatable {
        case open
        /// The client was told that the server is about to stop, and pings with this nonce when it opens no more
        /// streams. What it opens until then is accepted.
        case noticed(nonce: UInt64)
        /// Running calls may end, new ones are refused.
        case draining
        case closed
    }

    enum DrainAction: Equatable {
        /// Tell the client that calls should go elsewhere, and call `drainNoticeEnded` after a while.
        case tellFirst
        /// Tell the client what was accepted, if it can be told, and look at `shouldClose`.
        case tellLast
        case none
    }

    enum OpenAction {
        /// Read the envelope, then call `start` or `refused`.
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
        /// The frame is for this call's stream.
        case deliver(Call)
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
    private var streams = StreamTable<Stream>()
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

    /// Whether the server is about to stop.
    var isDraining: Bool {
        switch self.phase {
        case .noticed, .draining: true
        case .open, .closed: false
        }
    }

    /// No stream above it was accepted, once it is draining for good; 0: none was.
    var lastStreamID: UInt32 { self.streamIDs.highest ?? 0 }

    /// A request frame came in. Decides by its id alone; whether there is room is for `start` to say, so that the calls
    /// of the Session service are answered when there is none.
    mutating func requestReceived(streamID: UInt32, flags: FrameFlags) -> OpenAction {
        guard self.phase != .closed else { return .ignore }
        if let violation = self.useStreamID(streamID) {
            return .answer(violation, cancel: self.markAnswered(streamID))
        }
        return .readEnvelope
    }

    /// A request got an error in place of `start`. Data that its client goes on to send is passed over.
    mutating func refused(streamID: UInt32, flags: FrameFlags) {
        if flags.contains(.remoteOpen) {
            self.refusedStreams.insert(streamID)
        }
    }

    /// The envelope of a request just accepted is good and its method is there.
    ///
    /// - Parameters:
    ///   - call: who runs it.
    ///   - streamID: the request's.
    ///   - isStream: whether data frames may come for it, or be its answer.
    ///   - isWatch: whether it is there to tell that the server stops, for which it is never too late.
    ///   - timeoutNanoseconds: the client's; 0: none.
    ///   - now: the time.
    mutating func start(
        _ call: Call,
        streamID: UInt32,
        isStream: Bool,
        isWatch: Bool = false,
        timeoutNanoseconds: Int64,
        now: NIODeadline
    ) -> StartAction {
        if self.phase == .draining, !isWatch {
            return .answer(.notAccepted("draining: the server takes no new calls"))
        }
        if self.streams.count >= self.maximumStreams {
            return .answer(.limit("more than \(self.maximumStreams) calls in flight on a connection"))
        }
        if timeoutNanoseconds < 0 {
            return .answer(.deadlineExceeded)
        }
        var deadline: NIODeadline?
        if timeoutNanoseconds > 0 {
            deadline = now + min(.nanoseconds(timeoutNanoseconds), .longest)
        }
        self.streams[streamID] = .running(call, deadline: deadline, isStream: isStream)
        self.unansweredStreams += 1
        return .run(setTimer: deadline.flatMap { self.alarm.include($0) })
    }

    /// The call whose stream data frames are for.
    func stream(_ streamID: UInt32) -> Call? {
        guard case .running(let call, _, isStream: true) = self.streams[streamID] else { return nil }
        return call
    }

    /// A data frame came in: for a stream, the rest of a refused one, or a violation.
    mutating func dataReceived(streamID: UInt32, flags: FrameFlags) -> FrameAction {
        guard self.phase != .closed else { return .ignore }
        if self.refusedStreams.contains(streamID) {
            if flags.contains(.remoteClosed) {
                self.refusedStreams.remove(streamID)
            }
            return .ignore
        }
        if case .running(let call, _, let isStream) = self.streams[streamID] {
            if isStream { return .deliver(call) }
            let error = RPCError.protocolViolation("data on the stream of a unary call")
            return .answer(error, cancel: self.markAnswered(streamID))
        }
        return .answer(.streamIsNotActive, cancel: nil)
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

    /// An error answers a stream before its handler ends. Gives the call, or nil when it is answered or was never there.
    mutating func answered(streamID: UInt32) -> Call? {
        self.markAnswered(streamID)
    }

    /// The call that owes the answer of a stream.
    func running(streamID: UInt32) -> Call? {
        if case .running(let call, _, _) = self.streams[streamID] { call } else { nil }
    }

    /// The task of a call, or its responder, ended.
    mutating func finished(streamID: UInt32) -> FinishAction {
        guard case .running = self.streams.removeValue(of: streamID) else { return .dropAnswer }
        self.unansweredStreams -= 1
        return .sendAnswer
    }

    /// The timer fired.
    mutating func timerFired(now: NIODeadline) -> Expiry {
        var expiry = Expiry(expired: [], setTimer: nil)
        var ends: [(deadline: NIODeadline, streamID: UInt32, call: Call)] = []
        for (streamID, stream) in self.streams.entries {
            guard case .running(let call, let deadline?, _) = stream else { continue }
            if deadline <= now {
                ends.append((deadline, streamID, call))
            } else {
                expiry.setTimer = min(deadline, expiry.setTimer ?? deadline)
            }
        }
        // A timer that fires late finds several: the first to end is answered first.
        ends.sort { $0.deadline < $1.deadline }
        for (_, streamID, call) in ends {
            expiry.expired.append((streamID, call))
            _ = self.markAnswered(streamID)
        }
        self.alarm.rearm(expiry.setTimer)
        return expiry
    }

    /// The server is about to stop (G6-05).
    ///
    /// - Parameters:
    ///   - isWatched: whether the client waits for notices, and answers them.
    ///   - nonce: of the ping with which it answers.
    mutating func drain(isWatched: Bool, nonce: UInt64) -> DrainAction {
        guard self.phase == .open else { return .none }
        self.phase = isWatched ? .noticed(nonce: nonce) : .draining
        return isWatched ? .tellFirst : .tellLast
    }

    /// A ping came in: the client has opened its last stream, if it is the ping for that.
    mutating func pinged(nonce: UInt64) -> DrainAction {
        self.phase == .noticed(nonce: nonce) ? self.drainNoticeEnded() : .none
    }

    /// The time for what was on its way is over.
    mutating func drainNoticeEnded() -> DrainAction {
        guard case .noticed = self.phase else { return .none }
        self.phase = .draining
        return .tellLast
    }

    /// The connection is gone; nothing can be answered any more. Gives the calls to cancel.
    mutating func connectionClosed() -> [Call] {
        let calls = self.streams.entries.compactMap { entry in
            if case .running(let call, _, _) = entry.value { call } else { Call?.none }
        }
        self.phase = .closed
        self.streams = StreamTable()
        self.unansweredStreams = 0
        self.refusedStreams = RefusedStreams()
        self.alarm.rearm(nil)
        return calls
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
        guard case .running(let call, _, _) = self.streams[streamID] else { return nil }
        self.streams[streamID] = .answered
        self.unansweredStreams -= 1
        return call
    }
}
