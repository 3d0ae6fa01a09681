import NIOCore
import ProtoFraming

/// What one connection to a server has in flight, on the client's side. No I/O: events in, actions out.
///
/// `Call` stands for a caller that waits.
struct ClientConnectionStateMachine<Call> {
    private struct Stream {
        var call: Call
        var deadline: NIODeadline
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
    private var nextStreamID: UInt32
    private var streams: [UInt32: Stream] = [:]
    private var alarm = StreamAlarm()
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
        self.phase == .retiring && self.streams.isEmpty
    }

    /// A call is to be sent.
    mutating func start(_ call: Call, deadline: NIODeadline, now: NIODeadline) -> StartAction {
        guard self.phase != .closed, self.nextStreamID < 1 << 31 else {
            return .refuse(RPCError(code: .unavailable, message: "the connection takes no more calls", notSent: true))
        }
        guard deadline > now else {
            var error = RPCError.deadlineExceeded
            error.notSent = true
            return .refuse(error)
        }
        let streamID = self.nextStreamID
        self.nextStreamID += 2
        if self.streams.isEmpty { self.silentSince = now }
        self.streams[streamID] = Stream(call: call, deadline: deadline)
        return .send(streamID: streamID, setTimer: self.alarm.include(deadline))
    }

    /// Bytes came in.
    mutating func bytesReceived(now: NIODeadline) {
        self.silentSince = now
    }

    /// A response came in. Gives the caller, or nil when nobody waits for it any more (G4-03).
    mutating func responseReceived(streamID: UInt32) -> Call? {
        self.streams.removeValue(forKey: streamID)?.call
    }

    /// A data frame came in, which a unary call does not expect. Gives the caller to tell, if any.
    mutating func dataReceived(streamID: UInt32) -> Call? {
        self.streams.removeValue(forKey: streamID)?.call
    }

    /// A frame over the limit began; its data is being discarded. Gives the caller to tell, if any.
    mutating func oversizedReceived(_ header: FrameHeader) -> Call? {
        guard header.type == .response || header.type == .data else { return nil }
        return self.streams.removeValue(forKey: header.streamID)?.call
    }

    /// The caller does not wait any more; what still comes on the stream is passed over.
    mutating func forget(streamID: UInt32) {
        self.streams[streamID] = nil
    }

    /// The timer fired.
    mutating func timerFired(now: NIODeadline) -> Expiry {
        var expiry = Expiry(expired: [], setTimer: nil, isSilent: false)
        var streamIDs: [UInt32] = []
        for (streamID, stream) in self.streams {
            if stream.deadline <= now {
                expiry.expired.append(stream.call)
                streamIDs.append(streamID)
            } else {
                expiry.setTimer = min(stream.deadline, expiry.setTimer ?? stream.deadline)
            }
        }
        for streamID in streamIDs {
            self.streams[streamID] = nil
        }
        expiry.isSilent = !expiry.expired.isEmpty && now - self.silentSince >= Self.longestSilence
        self.alarm.rearm(expiry.setTimer)
        return expiry
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
        defer { self.streams = [:] }
        return self.streams.values.map(\.call)
    }
}
