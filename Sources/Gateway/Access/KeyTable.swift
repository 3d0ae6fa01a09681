public import Settings

/// The keys that a gateway accepts.
public struct KeyTable: Sendable {
    /// Most keys of a file.
    public static let maximumKeys = 10_000

    private var entries: [UInt64: [KeyEntry]] = [:]

    /// Reads a file of keys:
    ///
    /// ```yaml
    /// keys:
    ///   - key: "sha256:..."
    ///     name: "reports"
    ///     tenant: "finance"
    ///     project: "monthly"
    ///     expires: "2027-01-31"
    /// ```
    ///
    /// - Throws: what is wrong, with its line. A file without keys is refused, since that is what a file looks like
    ///   which is being written.
    public init(_ text: String, path: String) throws(SettingsError) {
        let document = try StrictMapping.document(text, path: path, known: ["keys"])
        let list = try document.list("keys", known: KeyEntry.fields, maximum: Self.maximumKeys)
        guard !list.isEmpty else { throw .refused("\(path): there is no key; make one with `backfill keys create`") }
        var names: Set<String> = []
        for mapping in list {
            let entry = try KeyEntry(mapping)
            guard self.find(entry.digest) == nil else { throw mapping.refused("key", "is another entry's as well") }
            guard names.insert("\(entry.tenant)/\(entry.name)").inserted else {
                throw mapping.refused("name", "is that of another key of the tenant")
            }
            self.entries[entry.digest.shortened, default: []].append(entry)
        }
    }

    /// The entry of a key. What the look-up's time could tell is about the hash of what was sent, from which no step
    /// leads to a key; the comparison of whole hashes tells nothing.
    func find(_ digest: KeyDigest) -> KeyEntry? {
        self.entries[digest.shortened]?.first { $0.digest.isEqual(to: digest) }
    }
}
