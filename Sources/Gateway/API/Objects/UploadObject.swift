public import ProtoMessages

extension JSON {
    /// The REST API's Upload (A8-01), with the file that it became.
    ///
    /// - Parameter parts: what the key `backfill` tells of the parts that have come; nil: nothing.
    /// - Throws: 500 when the scheduler names a status that the API does not have.
    public init(_ upload: MultipartUpload, parts: [UploadPart]? = nil) throws(APIError) {
        guard let status = upload.status.name else { throw .internalError }
        var members: [(String, JSON)] = [
            ("id", .string(upload.id)),
            ("object", .string("upload")),
            ("bytes", .count(upload.bytes)),
            ("created_at", .integer(upload.createdAt)),
            ("filename", .string(upload.filename)),
            ("purpose", .string(upload.purpose)),
            ("status", .string(status)),
            ("expires_at", .integer(upload.expiresAt)),
            ("file", upload.file.map { JSON($0) } ?? .null),
        ]
        if let parts {
            members.append(
                (
                    "backfill",
                    .object([
                        ("received_bytes", .count(upload.receivedBytes)),
                        ("parts", .array(parts.map { JSON($0, withBytes: true) })),
                    ])
                )
            )
        }
        self = .object(members)
    }

    /// The REST API's UploadPart (A8-02).
    ///
    /// - Parameter withBytes: whether its size is told too.
    public init(_ part: UploadPart, withBytes: Bool = false) {
        let members: [(String, JSON)] = [
            ("id", .string(part.id)),
            ("object", .string("upload.part")),
            ("created_at", .integer(part.createdAt)),
            ("upload_id", .string(part.uploadID)),
        ]
        self = .object(withBytes ? members + [("bytes", .count(part.bytes))] : members)
    }
}

extension UploadStatus {
    /// The REST API's word; nil for a status that it does not have.
    var name: String? {
        switch self {
        case .pending: "pending"
        case .completed: "completed"
        case .cancelled: "cancelled"
        case .expired: "expired"
        default: nil
        }
    }
}
