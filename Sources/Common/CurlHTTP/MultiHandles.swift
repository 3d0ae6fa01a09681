/// The multi handles of a client: as many as its connections need.
struct MultiHandles {
    /// A multi handle without connections is kept for so long, in which others may need it.
    private static let maximumIdleMilliseconds: Int64 = 60_000

    /// By number; nil: free to be used again.
    private(set) var all: [MultiHandle?] = []

    /// The multi handle of a number, if there is one.
    subscript(number: Int) -> MultiHandle? {
        self.all.indices.contains(number) ? self.all[number] : nil
    }

    /// When libcurl wants to be called next, in milliseconds of the monotonic clock; nil: not by time.
    var timer: Int64? {
        self.all.reduce(nil) { earliest, multi in
            guard let timer = multi?.timer else { return earliest }
            return min(earliest ?? timer, timer)
        }
    }

    /// The first that has room for one more connection; made when there is none. nil when there is no memory.
    mutating func withRoom(make: (_ number: Int) -> MultiHandle?) -> MultiHandle? {
        for multi in self.all {
            if let multi, multi.links < MultiHandle.maximumLinks { return multi }
        }
        let number = self.all.firstIndex { $0 == nil } ?? self.all.count
        guard let multi = make(number) else { return nil }
        if number == self.all.count { self.all.append(multi) } else { self.all[number] = multi }
        return multi
    }

    /// Drops those that had no connection for long.
    mutating func dropIdle(at now: Int64) {
        for (number, multi) in self.all.enumerated() {
            guard let multi, multi.links == 0, now - multi.idleSince > Self.maximumIdleMilliseconds else { continue }
            self.all[number] = nil
        }
    }

    /// Drops all. None has a connection.
    mutating func removeAll() {
        self.all = []
    }
}
