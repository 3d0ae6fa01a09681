import GatewayAPI

/// One page of the REST API, put together from as many pages of the scheduler as it takes; those are bounded in bytes.
struct StitchedList {
    private let limit: Int
    private var objects: [JSON] = []
    private var hasMore = true
    /// Id after which the next page begins.
    private(set) var after: String

    init(limit: Int, after: String) {
        self.limit = limit
        self.after = after
    }

    /// Objects that still fit.
    var missing: Int { self.limit - self.objects.count }

    /// Whether another page of the scheduler is needed.
    var wantsMore: Bool { self.hasMore && self.missing > 0 }

    /// The finished page.
    var page: JSON { .page(self.objects, hasMore: self.hasMore) }

    /// Adds a page of the scheduler.
    ///
    /// - Throws: 500 when it has more objects than asked for, or none though there are more, which would never end.
    mutating func append(_ objects: [JSON], lastID: String?, hasMore: Bool) throws(APIError) {
        guard objects.count <= self.missing, !hasMore || !objects.isEmpty else { throw .internalError }
        self.objects += objects
        self.after = lastID ?? self.after
        self.hasMore = hasMore
    }
}
