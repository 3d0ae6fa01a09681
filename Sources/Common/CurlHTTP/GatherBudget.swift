/// Bounds the bytes of answers that are being gathered, over all transfers. No I/O: it says who has to pause and who may
/// go on.
///
/// Without room a transfer pauses until another ends. One transfer is exempt, so that they never all wait for each
/// other: at most `maximumBytes` and the rest of one answer are held.
struct GatherBudget<ID: Hashable> {
    private let maximumBytes: Int
    private var exempt: ID?
    private var paused: [ID] = []
    /// Bytes held at the moment.
    private(set) var bytes = 0

    init(maximumBytes: Int) {
        self.maximumBytes = maximumBytes
    }

    /// Takes bytes of a transfer; false: it has to pause and offer them again later.
    mutating func take(_ count: Int, of id: ID) -> Bool {
        guard self.hasRoom(for: count, of: id) else {
            self.paused.append(id)
            return false
        }
        self.bytes += count
        return true
    }

    /// A transfer has ended, paused or not, of which `count` bytes were taken. Gives those that go on.
    mutating func end(_ id: ID, bytes count: Int) -> [ID] {
        self.bytes -= count
        if self.exempt == id { self.exempt = nil }
        self.paused.removeAll { $0 == id }
        guard self.exempt == nil || self.bytes < self.maximumBytes else { return [] }
        defer { self.paused = [] }
        return self.paused
    }

    private mutating func hasRoom(for count: Int, of id: ID) -> Bool {
        if self.bytes + count <= self.maximumBytes { return true }
        if self.exempt == nil { self.exempt = id }
        return self.exempt == id
    }
}
