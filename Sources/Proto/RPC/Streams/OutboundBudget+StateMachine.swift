import NIOCore

/// Shares a connection's room for outgoing messages of streams among the tasks that send them, first come, first
/// served. No I/O: events in, actions out.
///
/// `Waiter` stands for a task that waits.
struct OutboundBudgetStateMachine<Waiter> {
    private struct Waiting {
        var ticket: UInt64
        var bytes: Int
        var waiter: Waiter
    }

    enum ReserveAction: Equatable {
        case granted
        /// Wait: call `wait` in the same step.
        case mustWait
        /// The connection is gone.
        case closed
    }

    private let limit: Int
    private var used = 0
    private var isClosed = false
    private var waiting = CircularBuffer<Waiting>()

    /// - Parameter limit: most bytes granted at a time, but a single message may be longer.
    init(limit: Int) {
        self.limit = limit
    }

    /// Bytes granted and not released.
    var usedBytes: Int { self.used }

    /// A message of so many bytes is to be sent.
    mutating func reserve(_ bytes: Int) -> ReserveAction {
        if self.isClosed { return .closed }
        guard self.waiting.isEmpty, self.fits(bytes) else { return .mustWait }
        self.used += bytes
        return .granted
    }

    /// Messages are to be sent whose sizes are not known yet. Gives what is granted for them, 0 while anybody waits.
    mutating func reserveSome(upTo bytes: Int) -> Int {
        guard !self.isClosed, self.waiting.isEmpty else { return 0 }
        let granted = max(min(bytes, self.limit - self.used), 0)
        self.used += granted
        return granted
    }

    /// A task waits for what `reserve` did not grant.
    mutating func wait(_ waiter: Waiter, bytes: Int, ticket: UInt64) {
        self.waiting.append(Waiting(ticket: ticket, bytes: bytes, waiter: waiter))
    }

    /// Bytes are on the socket, or will not be sent. Gives the tasks whose messages are granted by it.
    mutating func release(_ bytes: Int) -> [Waiter] {
        self.used -= min(bytes, self.used)
        return self.grant()
    }

    /// A task does not wait any more. Gives it, unless it was granted before, and those that its leaving lets in.
    mutating func leave(ticket: UInt64) -> (left: Waiter?, granted: [Waiter]) {
        guard let index = self.waiting.firstIndex(where: { $0.ticket == ticket }) else { return (nil, []) }
        let left = self.waiting.remove(at: index).waiter
        return (left, self.grant())
    }

    /// The connection is gone. Gives all tasks that wait.
    mutating func close() -> [Waiter] {
        self.isClosed = true
        defer { self.waiting = CircularBuffer() }
        return self.waiting.map(\.waiter)
    }

    private func fits(_ bytes: Int) -> Bool {
        self.used == 0 || self.used + bytes <= self.limit
    }

    private mutating func grant() -> [Waiter] {
        var granted: [Waiter] = []
        while let first = self.waiting.first, self.fits(first.bytes) {
            self.waiting.removeFirst()
            self.used += first.bytes
            granted.append(first.waiter)
        }
        return granted
    }
}
