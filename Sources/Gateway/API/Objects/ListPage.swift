extension JSON {
    /// A page of a list (A6-03): both ids are `null` when it is empty.
    ///
    /// - Parameters:
    ///   - objects: the page's objects, each with an `id`.
    ///   - hasMore: whether there are objects after the last one; false is answered for an empty page.
    public static func page(_ objects: [JSON], hasMore: Bool) -> JSON {
        .object([
            ("object", .string("list")),
            ("data", .array(objects)),
            ("first_id", objects.first?["id"] ?? .null),
            ("last_id", objects.last?["id"] ?? .null),
            ("has_more", .bool(hasMore && !objects.isEmpty)),
        ])
    }
}
