/// Methods by the names of their service and their own, found by the names' bytes as they came: text for each call would
/// cost several times the search.
struct MethodTable<Entry: Sendable>: Sendable {
    private struct Row: Sendable {
        var service: [UInt8]
        var method: [UInt8]
        var entry: Entry

        func has(_ service: UnsafeRawBufferPointer, _ method: UnsafeRawBufferPointer) -> Bool {
            self.method.count == method.count && self.service.count == service.count
                && self.method.withUnsafeBytes { $0.elementsEqual(method) }
                && self.service.withUnsafeBytes { $0.elementsEqual(service) }
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
        for row in self.buckets[Self.bucket(of: method)] where row.has(service, method) {
            return row.entry
        }
        return nil
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

    /// FNV-1a of the method's name, which tells methods apart nearly always.
    private static func bucket(of name: UnsafeRawBufferPointer) -> Int {
        let hash = name.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
        return Int(hash) & (Self.bucketCount - 1)
    }
}
