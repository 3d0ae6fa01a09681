/// Streams whose opening was refused while their client may still be sending data: that data is passed over.
struct RefusedStreams: Sendable {
    /// Most ids remembered. Beyond it the oldest is forgotten, and its data is answered like that of a closed stream.
    static let limit = 1_024

    private var ids: Set<UInt32> = []
    private var inOrder: [UInt32] = []

    func contains(_ streamID: UInt32) -> Bool {
        self.ids.contains(streamID)
    }

    mutating func insert(_ streamID: UInt32) {
        guard self.ids.insert(streamID).inserted else { return }
        self.inOrder.append(streamID)
        if self.inOrder.count >= 2 * Self.limit {
            // Ids that ended on their own are dropped along with the oldest; amortised over as many insertions.
            self.inOrder.removeAll { !self.ids.contains($0) }
            let surplus = max(0, self.inOrder.count - Self.limit)
            self.ids.subtract(self.inOrder.prefix(surplus))
            self.inOrder.removeFirst(surplus)
        }
    }

    mutating func remove(_ streamID: UInt32) {
        self.ids.remove(streamID)
    }
}
