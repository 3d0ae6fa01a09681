/// A life time as the REST API writes it: an anchor and seconds (A2-07, A7-01).
enum ExpiresAfter {
    /// Seconds that may be asked for: an hour to thirty days.
    static let seconds: ClosedRange<Int64> = 3_600...2_592_000
    /// The one moment from which they count.
    static let anchor = "created_at"

    /// Reads `{"anchor": "created_at", "seconds": 3600}`; nil for `null`.
    static func parse(_ json: JSON, param: String) throws(APIError) -> UInt64? {
        guard json != .null else { return nil }
        guard case .object(let members) = json else {
            throw .invalidType(param, expected: "an object", json)
        }
        for (name, _) in members where name != "anchor" && name != "seconds" {
            throw Suggestion.unknown("parameter", "\(param).\(name)", among: ["\(param).anchor", "\(param).seconds"])
        }
        switch json["anchor"] ?? .null {
        case .string(let text): try Self.check(anchor: text, param: "\(param).anchor")
        case .null: throw .missing("\(param).anchor")
        case let other: throw .invalidType("\(param).anchor", expected: "a string", other)
        }
        switch json["seconds"] ?? .null {
        case .integer(let value): return try Self.check(seconds: value, param: "\(param).seconds")
        case .null: throw .missing("\(param).seconds")
        case let other: throw .invalidType("\(param).seconds", expected: "a whole number", other)
        }
    }

    static func check(anchor: String, param: String) throws(APIError) {
        guard anchor == Self.anchor else {
            throw .invalidValue("'\(param)' must be '\(Self.anchor)'.", param: param)
        }
    }

    static func check(seconds: Int64, param: String) throws(APIError) -> UInt64 {
        guard Self.seconds.contains(seconds) else {
            throw .invalidValue(
                "'\(param)' must be from \(Self.seconds.lowerBound) to \(Self.seconds.upperBound) seconds.",
                param: param
            )
        }
        return UInt64(seconds)
    }
}
