/// The parts that a completion names, in its order (A8-03).
public enum PartSelection {
    /// Why parts do not make the file.
    public enum Problem: Error, Sendable, Equatable {
        /// None, or more than there can be.
        case count(Int)
        /// A part is named twice.
        case repeated(String)
        /// There is no such part in this upload.
        case unknown(String)
        /// The parts have other than the declared bytes.
        case size(declared: Int64, found: Int64)
    }

    /// Checks what can be checked without the parts: every id once, and as many as an upload may have.
    public static func check(_ ids: [String]) throws(Problem) {
        guard 1...UploadRecord.maximumParts ~= ids.count else { throw .count(ids.count) }
        var seen: Set<String> = []
        for id in ids where !seen.insert(id).inserted { throw .repeated(id) }
    }

    /// The parts in the order of `ids`.
    /// - Parameters:
    ///   - parts: all parts of the upload by id.
    ///   - bytes: what they must have together.
    public static func parts(
        _ ids: [String],
        of parts: [String: UploadPartRecord],
        bytes: Int64
    ) throws(Problem) -> [UploadPartRecord] {
        try self.check(ids)
        var chosen: [UploadPartRecord] = []
        chosen.reserveCapacity(ids.count)
        for id in ids {
            guard let part = parts[id] else { throw .unknown(id) }
            chosen.append(part)
        }
        // At most 10,000 parts of 64 MiB each: no overflow.
        let found = chosen.reduce(0) { $0 + $1.bytes }
        guard found == bytes else { throw .size(declared: bytes, found: found) }
        return chosen
    }
}
