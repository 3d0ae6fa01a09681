/// Which requests run and which wait: first come, first served, over a fixed number of slots.
struct SlotQueue<Request: Hashable> {
    private let slots: Int
    private var waitingOrder: [Request] = []
    private var cancelled: Set<Request> = []
    private var head = 0

    /// Requests that hold a slot.
    private(set) var running = 0
    /// Requests that wait for one.
    var waiting: Int { self.waitingOrder.count - self.head - self.cancelled.count }

    init(slots: Int) {
        self.slots = slots
    }

    /// A request came; true when it may run now.
    mutating func arrive(_ request: Request) -> Bool {
        guard self.running < self.slots else {
            self.waitingOrder.append(request)
            return false
        }
        self.running += 1
        return true
    }

    /// A request that waited has gone.
    mutating func leave(_ request: Request) {
        self.cancelled.insert(request)
    }

    /// A running request ended; gives the one that takes its slot.
    mutating func finish() -> Request? {
        while self.head < self.waitingOrder.count {
            let next = self.waitingOrder[self.head]
            self.head += 1
            if self.head > 1_024, self.head * 2 > self.waitingOrder.count {
                self.waitingOrder.removeFirst(self.head)
                self.head = 0
            }
            if self.cancelled.remove(next) == nil { return next }
        }
        self.running -= 1
        return nil
    }
}
