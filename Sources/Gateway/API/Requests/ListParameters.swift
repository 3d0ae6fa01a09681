/// Query of `GET /v1/batches` (A6-01).
public struct ListBatchesParameters: Sendable, Equatable {
    /// Page size, 1 to 100. Default 20.
    public var limit: Int
    /// Id of the last batch of the page before; empty: from the newest.
    public var after: String

    /// Reads a query string.
    ///
    /// - Throws: 400 with `param` (A6-05).
    public init(query: String) throws(APIError) {
        let query = try QueryString(query, known: ["limit", "after"])
        self.limit = try query.limit(1...100, default: 20)
        self.after = try query.after(objectID: "batch")
    }
}

/// Query of `GET /v1/files` (A7-07).
public struct ListFilesParameters: Sendable, Equatable {
    /// Only files of this purpose; empty: all.
    public var purpose: String
    /// Page size, 1 to 10,000. Default 10,000.
    public var limit: Int
    /// Id of the last file of the page before; empty: from the start.
    public var after: String
    /// Oldest first. Default newest first.
    public var ascending: Bool

    /// Reads a query string.
    ///
    /// - Throws: 400 with `param` (A6-05).
    public init(query: String) throws(APIError) {
        let query = try QueryString(query, known: ["purpose", "limit", "after", "order"])
        self.limit = try query.limit(1...10_000, default: 10_000)
        self.after = try query.after(objectID: "file")
        self.purpose = query["purpose"] ?? ""
        guard query["purpose"] == nil || FilePurpose.listed.contains(self.purpose) else {
            throw .invalidValue(
                "'purpose' must be one of \(FilePurpose.listed.joined(separator: ", ")).",
                param: "purpose"
            )
        }
        switch query["order"] ?? "desc" {
        case "asc": self.ascending = true
        case "desc": self.ascending = false
        default: throw .invalidValue("'order' must be 'asc' or 'desc'.", param: "order")
        }
    }
}

/// The pairs of a query string.
struct QueryString {
    /// Most pairs read.
    private static let maximumPairs = 16

    private var values: [String: String] = [:]

    /// Reads `a=b&c=d`; unknown and repeated names are refused.
    init(_ text: String, known: [String]) throws(APIError) {
        let pairs = text.split(separator: "&")
        guard pairs.count <= Self.maximumPairs else {
            throw .invalidRequest("The query has more than \(Self.maximumPairs) parameters.", code: "invalid_query")
        }
        for pair in pairs {
            let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = PercentCoding.decode(halves[0], plusIsSpace: true),
                let value = PercentCoding.decode(halves.count > 1 ? halves[1] : "", plusIsSpace: true)
            else {
                throw .invalidRequest("The query is not percent-encoded UTF-8.", code: "invalid_query")
            }
            guard known.contains(name) else { throw Suggestion.unknown("query parameter", name, among: known) }
            guard self.values.updateValue(value, forKey: name) == nil else {
                throw .invalidValue("'\(name)' is given more than once.", param: name)
            }
        }
    }

    subscript(name: String) -> String? {
        self.values[name]
    }

    /// `limit`, within its bounds.
    func limit(_ bounds: ClosedRange<Int>, default standard: Int) throws(APIError) -> Int {
        guard let text = self["limit"] else { return standard }
        guard let limit = Int(text), bounds.contains(limit) else {
            throw .invalidValue(
                "'limit' must be a whole number from \(bounds.lowerBound) to \(bounds.upperBound).",
                param: "limit"
            )
        }
        return limit
    }

    /// `after`, an object's id (A6-02).
    func after(objectID kind: String) throws(APIError) -> String {
        guard let after = self["after"], !after.isEmpty else { return "" }
        guard ObjectName.isValid(after) else {
            throw .invalidValue("'after' must be the id of a \(kind).", param: "after")
        }
        return after
    }
}
