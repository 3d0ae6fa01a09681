/// Which `custom_id`s a file holds, by a 64-bit hash of the decoded id: 50,000 of them take about a megabyte.
///
/// The hash is seeded at random in each process, so nobody can choose ids that collide; equal hashes are only a
/// suspicion all the same, which the earlier line confirms.
struct CustomIDTable {
    private var lines: [UInt64: UInt32] = [:]

    /// Notes the id of a line; gives the request number of an earlier one with the same hash.
    mutating func insert(_ id: [UInt8], request: Int) -> Int? {
        var hasher = Hasher()
        id.withUnsafeBytes { hasher.combine(bytes: $0) }
        let hash = UInt64(bitPattern: Int64(hasher.finalize()))
        if let earlier = self.lines[hash] { return Int(earlier) }
        self.lines[hash] = UInt32(truncatingIfNeeded: request)
        return nil
    }
}
