import NIOCore
import ProtoFraming

/// What one connection to a server has in flight, on the client's side. No I/O: events in, actions out.
///
/// `Call` stands for a caller that waits.
struct ClientConnectionStateMachine<Call> {
    private struct Stream {
        var call: Call
        var deadline: NIODeadline
        var isStream: Bool
        var isBackground: Bool
    }

    private enum Phase {
        case open
        /// Calls in flight may end, then the connection closes.
        case retiring
        case closed
    }

    enum StartAction: Equatable {
        /// Write the request with this id, and set the timer if there is a time.
        case send(streamID: UInt32, setTimer: NIODeadline?)
        /// The call fails and was not sent.
        case refuse(RPCError)
    }

    enum DataAction {
        /// Nobody waits for it any more.
        case ignore
        /// The frame is for this call's stream.
        case deliver(Call)
        /// A unary call got data: tell its caller.
        case fail(Call)
    }

    struct Expiry {
        /// Callers to tell that their time is over.
        var expired: [Call]
        var setTimer: NIODeadline?
        /// Nothing came for too long although something was due: the other end is not there any more (T-24).
        var isSilent: Bool
    }

    /// A connection is given up when a call's time is over and nothing came for so long.
    static var longestSilence: TimeAmount { .seconds(10) }

    private let lastStreamIDs: UInt32
    private var phase = Phase.open
    /// Whether the server has asked to be sent no more calls.
    private var isDrained = false
    private var nextStreamID: UInt32
    private var streams = StreamTable<Stream>()
    private var alarm = StreamAlarm()
    /// Unary calls in flight. Streams may have nothing to say for as long as they like, so they say nothing of the
    /// connection.
    private var unaryCalls = 0
    private var backgroundStreams = 0
    /// Since when an answer is due and nothing has come.
    private var silentSince = NIODeadline.uptimeNanoseconds(0)

    /// - Parameter streamIDs: the first id, and the one from which on the connection should be replaced. Ids go on
    ///   behind it until 2^31, for calls that come before it is.
    init(streamIDs: Range<UInt32>) {
        self.nextStreamID = streamIDs.lowerBound
        self.lastStreamIDs = streamIDs.upperBound
    }

    /// Whether the ids are running out, so that new calls should go elsewhere (G2-04).
    var isWornOut: Bool {
        self.nextStreamID >= self.lastStreamIDs
    }

    /// Whether a retiring connection has nothing left to wait for and should close.
    var shouldClose: Bool {
        self.phase == .retiring && self.streams.count == self.backgroundStreams
    }

    /// A call is to be sent.
    ///
    /// - Parameters:
    ///   - call: who waits.
    ///   - isStream: whether data frames may answer it.
    ///   - isBackground: whether a retiring connection closes without waiting for it.
    ///   - deadline: when its time is over.
    ///   - now: the time.
    mutating func start(
        _ call: Call,
        isStream: Bool = false,
        isBackground: Bool = false,
        deadline: NIODeadline,
        now: NIODeadline
    ) -> StartAction {
        guard self.phase != .closed, self.nextStreamID < 1 << 31 else {
            return .refuse(RPCError(code: .unavailable, message: "the connection takes no more calls", notSent: true))
        }
        if self.isDrained {
            return .refuse(RPCError(code: .unavailable, message: "the server is about to stop", notSent: true))
        }
        guard deadline > now else {
            var error = RPCError.deadlineExceeded
            error.notSent = true
            return .refuse(error)
        }
        let streamID = self.nextStreamID
        self.nextStreamID += 2
        if !isStream {
            if self.unaryCalls == 0 { self.silentSince = now }
            self.unaryCalls += 1
        }
        if isBackground { self.backgroundStreams += 1 }
        self.streams[streamID] = Stream(
            call: call,
            deadline: deadline,
            isStream: isStream,
            isBackground: isBackground
        )
        return .send(streamID: streamID, setTimer: self.alarm.include(deadline))
    }

    /// Bytes came in.
    mutating func bytesReceived(now: NIODeadline) {
        self.silentSince = now
    }

    /// A response came in. Gives the caller, or nil when nobody waits for it any more (G4-03).
    mutating func responseReceived(streamID: UInt32) -> Call? {
        self.remove(streamID)?.call
    }

    /// The call whose stream data frames may be for.
    func stream(_ streamID: UInt32) -> Call? {
        guard let stream = self.streams[streamID], stream.isStream else { return nil }
        return stream.call
    }

    /// A data frame came in. Call `forget` when it was the last of its stream.
    mutating func dataReceived(streamID: UInt32) -> DataAction {
        guard let stream = self.streams[streamID] else { return .ignore }
        if stream.isStream { return .deliver(stream.call) }
        _ = self.remove(streamID)
        return .fail(stream.call)
    }

    /// A frame over the limit began; its data is being discarded. Gives the caller to tell, if any.
    mutating func oversizedReceived(_ header: FrameHeader) -> Call? {
        guard header.type == .response || header.type == .data else { return nil }
        return self.remove(header.streamID)?.call
    }

    /// The caller does not wait any more; what still comes on the stream is passed over. Gives false when it was not
    /// waiting.
    @discardableResult mutating func forget(streamID: UInt32) -> Bool {
        self.remove(streamID) != nil
    }

    /// A call is to be sent whose answer does not matter. Gives its id, or nil when there is none.
    mutating func startUnwatched() -> UInt32? {
        guard self.phase != .closed, self.nextStreamID < 1 << 31 else { return nil }
        defer { self.nextStreamID += 2 }
        return self.nextStreamID
    }

    /// The timer fired.
    mutating func timerFired(now: NIODeadline) -> Expiry {
        var expiry = Expiry(expired: [], setTimer: nil, isSilent: false)
        var streamIDs: [UInt32] = []
        var answerWasDue = false
        for (streamID, stream) in self.streams.entries {
            if stream.deadline <= now {
                expiry.expired.append(stream.call)
                streamIDs.append(streamID)
                answerWasDue = answerWasDue || !stream.isStream
            } else {
                expiry.setTimer = min(stream.deadline, expiry.setTimer ?? stream.deadline)
            }
        }
        for streamID in streamIDs {
            _ = self.remove(streamID)
        }
        expiry.isSilent = answerWasDue && now - self.silentSince >= Self.longestSilence
        self.alarm.rearm(expiry.setTimer)
        return expiry
    }

    /// The server is about to stop (G6-05): calls are refused from now on. Gives the callers whose calls it has not run
    /// and will not.
    mutating func drained(lastAccepted: UInt32) -> [Call] {
        self.isDrained = true
        let streamIDs = self.streams.entries.map(\.streamID).filter { $0 > lastAccepted }
        return streamIDs.compactMap { self.remove($0)?.call }
    }

    /// No more calls will come. Look at `shouldClose` afterwards.
    mutating func retire() {
        if self.phase == .open {
            self.phase = .retiring
        }
    }

    /// The connection is gone. Gives the callers to tell.
    mutating func connectionClosed() -> [Call] {
        self.phase = .closed
        defer {
            self.streams = StreamTable()
            self.unaryCalls = 0
            self.backgroundStreams = 0
        }
        return self.streams.entries.map(\.value.call)
    }

    private mutating func remove(_ streamID: UInt32) -> Stream? {
        guard let stream = self.streams.removeValue(of: streamID) else { return nil }
        if !stream.isStream { self.unaryCalls -= 1 }
        if stream.isBackground { self.backgroundStreams -= 1 }
        return stream
    }
}
