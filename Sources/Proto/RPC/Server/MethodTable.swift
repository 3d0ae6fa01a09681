/// Methods by the names of their service and their own, found by the names' bytes as they came: text for each call would
/// cost several times the search.
struct MethodTable<Entry: Sendable>: Sendable {
    private struct Row: Sendable {
        var service: [UInt8]
        var method: [UInt8]
        var entry: Entry

        func has(_ service: UnsafeRawBufferPointer, _ method: UnsafeRawBufferPointer) -> Bool {
            Self.equal(self.method, method) && Self.equal(self.service, service)
        }

        private static func equal(_ name: [UInt8], _ bytes: UnsafeRawBufferPointer) -> Bool {
            guard name.count == bytes.count else { return false }
            var differences: UInt8 = 0
            for offset in name.indices { differences |= name[offset] ^ bytes[offset] }
            return differences == 0
        }
    }

    /// A power of two, above the number of methods that any server here has.
    private static var bucketCount: Int { 64 }

    private var buckets = [[Row]](repeating: [], count: Self.bucketCount)

    /// Adds a method that is not there yet.
    mutating func add(_ entry: Entry, service: String, method: String) {
        let row = Row(service: Array(service.utf8), method: Array(method.utf8), entry: entry)
        let bucket = row.method.withUnsafeBytes { Self.bucket(of: $0) }
        self.buckets[bucket].append(row)
    }

    /// The method with these names, if there is one.
    func find(_ service: UnsafeRawBufferPointer, _ method: UnsafeRawBufferPointer) -> Entry? {
        let bucket = Self.bucket(of: method)
        // By index: a copy of each row costs more than the comparison.
        let index = self.buckets[bucket].indices.first { self.buckets[bucket][$0].has(service, method) }
        return index.map { self.buckets[bucket][$0].entry }
    }

    /// The method with these names, if there is one.
    subscript(service: String, method: String) -> Entry? {
        Array(service.utf8).withUnsafeBytes { service in
            Array(method.utf8).withUnsafeBytes { self.find(service, $0) }
        }
    }

    /// Whether any method of a service is there.
    func has(service: String) -> Bool {
        let name = Array(service.utf8)
        return self.buckets.contains { $0.contains { $0.service == name } }
    }

    /// From the length and three letters of the method's name, which tell methods apart nearly always.
    private static func bucket(of name: UnsafeRawBufferPointer) -> Int {
        guard let first = name.first, let last = name.last else { return 0 }
        let middle = name[name.count / 2]
        return (name.count &* 7 ^ Int(first) &* 5 ^ Int(middle) &* 3 ^ Int(last)) & (Self.bucketCount - 1)
    }
}
