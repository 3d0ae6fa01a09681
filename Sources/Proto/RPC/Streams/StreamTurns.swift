import NIOCore
import NIOPosix

/// A connection with streams that have had their turn.
protocol StreamTurnTaker: AnyObject {
    /// Each of them may send as much once more.
    func takeTurns()
}

/// Lets streams that always have something to send, and whose peers take it as fast, share an event loop with all else.
///
/// It is not enough that such a stream goes on by `execute`: an event loop looks at its sockets only once it has done
/// all that it was told to do at once, and what is told meanwhile is part of it. So all streams of an event loop that
/// have had their turn go on together, after a pause that is due when the loop has been at its sockets.
///
/// One for all connections of an event loop, which is the guard: it is used there alone.
final class StreamTurns: @unchecked Sendable {
    /// Bytes of frames, headers included, after which a stream has had its turn: sent within half a millisecond when
    /// messages are small. The message that reaches it is sent as a whole.
    static let turnBytes = 128 << 10
    /// Several times what the loop takes from here to its sockets. A peer that takes all at once is still busy with what
    /// came before.
    static let pause = TimeAmount.microseconds(50)

    private static let ofThread = ThreadSpecificVariable<StreamTurns>()

    private let eventLoop: any EventLoop
    private var waiting: [any StreamTurnTaker] = []
    /// Turns are being taken, or will be after the pause.
    private var isUnderWay = false

    private init(_ eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    /// Those of an event loop; called on it.
    static func on(_ eventLoop: any EventLoop) -> StreamTurns {
        if let turns = self.ofThread.currentValue, turns.eventLoop === eventLoop { return turns }
        let turns = StreamTurns(eventLoop)
        self.ofThread.currentValue = turns
        return turns
    }

    /// Calls it once, after the pause.
    func add(_ taker: any StreamTurnTaker) {
        self.waiting.append(taker)
        self.schedule()
    }

    private func schedule() {
        guard !self.isUnderWay, !self.waiting.isEmpty else { return }
        self.isUnderWay = true
        self.eventLoop.scheduleTask(in: Self.pause) { self.run() }
    }

    private func run() {
        let takers = self.waiting
        self.waiting = []
        for taker in takers { taker.takeTurns() }
        // The pause begins only now: before it, nobody who goes on at once could keep the loop from its sockets.
        self.isUnderWay = false
        self.schedule()
    }
}
