import Synchronization

/// Tells a caller when to stop: after a number of calls, or when it is told.
final class Countdown: Sendable {
    private let calls: Int
    private let hasEnded = Atomic(false)

    init(calls: Int) {
        self.calls = calls
    }

    func goesOn(after count: Int) -> Bool {
        count < self.calls && !self.hasEnded.load(ordering: .relaxed)
    }

    func end() {
        self.hasEnded.store(true, ordering: .relaxed)
    }
}
