/// What belongs to each stream of a connection, by the stream's id: each call looks it up several times, for which the
/// keyed hash of a `Dictionary` is too dear.
///
/// A peer that chooses ids so that they fall together makes a search as long as the number of streams, which is limited.
/// The order of the entries means nothing.
struct StreamTable<Value> {
    private static var smallestCapacity: Int { 16 }

    /// A power of two, at least twice as many as there are entries. 0, which is no stream's id: a free place.
    private var ids: [UInt32] = []
    private var values: [Value?] = []
    private(set) var count = 0

    var isEmpty: Bool { self.count == 0 }

    /// All entries.
    var entries: [(streamID: UInt32, value: Value)] {
        zip(self.ids, self.values).compactMap { id, value in value.map { (id, $0) } }
    }

    subscript(streamID: UInt32) -> Value? {
        get {
            self.find(streamID).flatMap { self.values[$0] }
        }
        set {
            if let newValue {
                self.insert(newValue, for: streamID)
            } else {
                _ = self.removeValue(of: streamID)
            }
        }
    }

    /// Takes an entry out.
    mutating func removeValue(of streamID: UInt32) -> Value? {
        guard let place = self.find(streamID) else { return nil }
        let value = self.values[place].take()
        self.count -= 1
        self.close(place)
        return value
    }

    private mutating func insert(_ value: Value, for streamID: UInt32) {
        precondition(streamID != 0, "no stream has the id 0")
        if let place = self.find(streamID) {
            self.values[place] = value
            return
        }
        if 2 * (self.count + 1) > self.ids.count { self.grow() }
        self.put(value, for: streamID)
        self.count += 1
    }

    private mutating func put(_ value: Value, for streamID: UInt32) {
        var place = self.home(of: streamID)
        while self.ids[place] != 0 { place = self.next(place) }
        self.ids[place] = streamID
        self.values[place] = value
    }

    private mutating func grow() {
        let entries = self.entries
        let capacity = max(2 * self.ids.count, Self.smallestCapacity)
        self.ids = [UInt32](repeating: 0, count: capacity)
        self.values = [Value?](repeating: nil, count: capacity)
        for entry in entries { self.put(entry.value, for: entry.streamID) }
    }

    private func find(_ streamID: UInt32) -> Int? {
        guard self.count > 0, streamID != 0 else { return nil }
        var place = self.home(of: streamID)
        while self.ids[place] != streamID {
            if self.ids[place] == 0 { return nil }
            place = self.next(place)
        }
        return place
    }

    /// Fills a free place with what stands behind it and belongs before, so that no search ends too early.
    private mutating func close(_ free: Int) {
        let mask = self.ids.count - 1
        var free = free
        var place = self.next(free)
        while self.ids[place] != 0 {
            let fromHome = (place &- self.home(of: self.ids[place])) & mask
            if fromHome >= (place &- free) & mask {
                self.ids[free] = self.ids[place]
                self.values[free] = self.values[place].take()
                free = place
            }
            place = self.next(place)
        }
        self.ids[free] = 0
    }

    /// Ids follow each other: a multiplication by the golden ratio spreads them evenly.
    private func home(of streamID: UInt32) -> Int {
        Int(truncatingIfNeeded: (UInt64(streamID &* 2_654_435_769) &* UInt64(self.ids.count)) >> 32)
    }

    private func next(_ place: Int) -> Int { (place &+ 1) & (self.ids.count &- 1) }
}
