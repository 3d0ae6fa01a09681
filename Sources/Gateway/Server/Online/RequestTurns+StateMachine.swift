import NIOCore

/// Who of two answers the requests of a connection: requests to engines are answered on the event loop, all others by
/// tasks behind it. Answers leave in the order of the requests, so what comes while the other one is at it waits. No I/O.
struct RequestTurnsStateMachine {
    /// What becomes of a part of a request.
    enum Action: Equatable {
        /// It is for the tasks behind.
        case pass
        /// It is for the event loop.
        case take
        /// It waits; nothing more is to be read.
        case hold
    }

    /// Requests behind whose answers have not ended.
    private var unansweredBehind = 0
    private var isAnsweringHere = false
    /// Whether the request whose body is coming is answered here.
    private var isReadingHere = false
    private var held = CircularBuffer<RequestPart>()

    /// Whether parts wait, so that nothing more is to be read.
    var isHolding: Bool { !self.held.isEmpty }
    /// Whether a request is answered here, or one waits.
    var isBusy: Bool { self.isAnsweringHere || self.isHolding }

    /// A part came.
    mutating func received(_ part: RequestPart) -> Action {
        let action = self.isHolding ? .hold : self.route(part)
        if action == .hold { self.held.append(part) }
        return action
    }

    /// The first of the parts that waited, if it need not any more, and whose it is.
    mutating func next() -> (part: RequestPart, action: Action)? {
        guard let part = self.held.first else { return nil }
        let action = self.route(part)
        guard action != .hold else { return nil }
        self.held.removeFirst()
        return (part, action)
    }

    /// The answer on the event loop has ended.
    mutating func endedHere() {
        self.isAnsweringHere = false
    }

    /// An answer from behind has ended.
    mutating func endedBehind() {
        self.unansweredBehind = max(0, self.unansweredBehind - 1)
    }

    private mutating func route(_ part: RequestPart) -> Action {
        guard case .head(let request) = part else { return self.isReadingHere ? .take : .pass }
        let isForHere = request.isOnline
        guard !self.isAnsweringHere, !isForHere || self.unansweredBehind == 0 else { return .hold }
        self.isReadingHere = isForHere
        if isForHere { self.isAnsweringHere = true } else { self.unansweredBehind += 1 }
        return isForHere ? .take : .pass
    }
}
