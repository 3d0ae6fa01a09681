public import ProtoMessages

extension JSON {
    /// The REST API's File (A7-03), with all keys present.
    public init(_ file: File) {
        self = .object([
            ("id", .string(file.id)),
            ("object", .string("file")),
            ("bytes", .count(file.bytes)),
            ("created_at", .integer(file.createdAt)),
            ("expires_at", .optional(file.expiresAt)),
            ("filename", .string(file.filename)),
            ("purpose", .string(file.purpose)),
            ("status", .string(file.status.name)),
            ("status_details", .text(file.statusDetails)),
        ])
    }

    /// Answer to a deletion (A7-09).
    public static func deletedFile(id: String) -> JSON {
        .object([("id", .string(id)), ("object", .string("file")), ("deleted", .bool(true))])
    }
}

extension FileStatus {
    /// The REST API's word; a status that this gateway does not know reads as the plainest one.
    var name: String {
        switch self {
        case .processed: "processed"
        case .error: "error"
        default: "uploaded"
        }
    }
}
