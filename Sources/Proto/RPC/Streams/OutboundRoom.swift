/// Room for a batch of a stream's messages, taken from a connection's budget once for many of them.
struct OutboundRoom {
    /// Taken from the budget at a time.
    private static let batchBytes = 64 << 10

    private let budget: OutboundBudget
    /// Of a stream that is to be woken when there is room for a message that it keeps.
    private let waker: RPCStreamWaker?
    /// Whether that stream waits for room. It is looked at once: room that another thread grants meanwhile is for the next
    /// turn, for which the stream is woken.
    private var waits: Bool
    private var left: Int
    /// Bytes of messages that have taken room: they are to be released once they are on the socket.
    private(set) var takenBytes = 0

    /// Nothing is taken yet.
    init(of budget: OutboundBudget) {
        self.budget = budget
        self.waker = nil
        self.waits = false
        self.left = 0
    }

    /// Begins with what the budget has granted for a message that waits.
    init(of budget: OutboundBudget, for waker: RPCStreamWaker) {
        self.budget = budget
        self.waker = waker
        self.waits = waker.isWaitingForRoom
        self.left = self.waits ? 0 : waker.takeGrant()
    }

    /// Takes room for a message; false: there is none.
    mutating func take(_ bytes: Int) -> Bool {
        // Woken for another reason, such as a credit: a second place in the queue would be granted to nobody.
        if self.waits { return false }
        if bytes > self.left { self.left += self.budget.reserveSome(upTo: Self.batchBytes) }
        if bytes <= self.left {
            self.left -= bytes
        } else {
            // More than a batch, or it waits in line for exactly what it needs.
            self.giveBack()
            guard self.reserve(bytes) else { return false }
        }
        self.takenBytes += bytes
        return true
    }

    private mutating func reserve(_ bytes: Int) -> Bool {
        guard let waker else { return self.budget.reserveNow(bytes) }
        self.waits = !self.budget.reserve(bytes, for: waker)
        return !self.waits
    }

    /// Counts a message for which room was taken elsewhere.
    mutating func add(_ bytes: Int) {
        self.takenBytes += bytes
    }

    /// Gives back what no message has taken.
    mutating func giveBack() {
        if self.left > 0 { self.budget.release(self.left) }
        self.left = 0
    }

    /// Ends the batch. Gives the bytes of its messages.
    mutating func end() -> Int {
        self.giveBack()
        defer { self.takenBytes = 0 }
        return self.takenBytes
    }
}
