/// The part of a file that a request asks for (RFC 9110, sections 13 and 14).
public enum ByteRange: Sendable, Equatable {
    /// All of it; also for ranges that are not understood, and for several at once.
    case whole
    /// These bytes, at least one.
    case part(Range<UInt64>)
    /// None that the file has: 416.
    case unsatisfiable

    /// Reads the header field `Range`, which counts only when `If-Range` is absent or names this version of the file.
    ///
    /// - Parameters:
    ///   - range: `Range`; nil when there is none.
    ///   - ifRange: `If-Range`; nil when there is none.
    ///   - entityTag: the file's `ETag`, with its quotes.
    ///   - bytes: the file's size.
    public init(range: String?, ifRange: String?, entityTag: String, bytes: UInt64) {
        guard let range, ifRange == nil || ifRange == entityTag, let parsed = Self.parse(range, bytes: bytes) else {
            self = .whole
            return
        }
        self = parsed
    }

    private static func parse(_ text: String, bytes: UInt64) -> ByteRange? {
        let unit = "bytes="
        guard text.lowercased().hasPrefix(unit) else { return nil }
        let ends = text.dropFirst(unit.count).split(separator: "-", omittingEmptySubsequences: false)
            .map { $0.drop { $0 == " " } }
        guard ends.count == 2, ends.allSatisfy({ $0.utf8.allSatisfy { (48...57).contains($0) } }) else { return nil }
        switch (Self.number(ends[0]), Self.number(ends[1])) {
        case (nil, nil): return nil
        case (nil, let count?):
            guard count > 0, bytes > 0 else { return .unsatisfiable }
            return .part((bytes - min(count, bytes))..<bytes)
        case (let first?, let last):
            if let last, last < first { return nil }
            guard first < bytes else { return .unsatisfiable }
            return .part(first..<(min(last ?? .max, bytes - 1) + 1))
        }
    }

    /// nil for no digits; a number that is too large is as large as there is.
    private static func number(_ digits: Substring) -> UInt64? {
        digits.isEmpty ? nil : UInt64(digits) ?? .max
    }
}

/// Whether a client has this version of a file already (`If-None-Match`, RFC 9110, section 13.1.2).
public enum EntityTag {
    /// The tag of a file: its bytes never change, so its id is enough.
    public static func of(fileID: String) -> String { "\"\(fileID)\"" }

    /// Whether one of the tags of `If-None-Match` is this one.
    public static func matches(_ ifNoneMatch: String, _ tag: String) -> Bool {
        ifNoneMatch.split(separator: ",").contains { part in
            var part = part.drop { $0 == " " }
            while part.last == " " { part.removeLast() }
            return part == "*" || part == tag || part == "W/" + tag
        }
    }
}
