public import NIOCore
public import ProtoMessages

/// Body of `POST /v1/uploads` (A8-01).
public enum CreateUploadBody {
    /// Longest media type, in bytes.
    private static let maximumMIMETypeBytes = 255
    private static let keys = ["filename", "purpose", "bytes", "mime_type", "expires_after"]

    /// Reads and checks a body.
    ///
    /// - Throws: 400 with `param` naming the key at fault.
    public static func parse(_ body: ByteBuffer) throws(APIError) -> CreateUploadRequest {
        let body = try JSONObjectBody(body, known: Self.keys)
        let filename = try body.requiredText("filename")
        guard filename.utf8.count <= FilePurpose.maximumFilenameBytes else {
            throw .invalidValue(
                "'filename' is longer than \(FilePurpose.maximumFilenameBytes) bytes.",
                param: "filename"
            )
        }
        let purpose = try body.requiredText("purpose")
        guard FilePurpose.uploaded.contains(purpose) else {
            throw .invalidValue(
                "'purpose' must be one of \(FilePurpose.uploaded.joined(separator: ", ")).",
                param: "purpose"
            )
        }
        let type = try body.requiredText("mime_type")
        guard type.utf8.count <= Self.maximumMIMETypeBytes else {
            throw .invalidValue("'mime_type' is longer than \(Self.maximumMIMETypeBytes) bytes.", param: "mime_type")
        }
        return CreateUploadRequest(
            filename: filename,
            purpose: purpose,
            bytes: try Self.bytes(body["bytes"], purpose: purpose),
            mimeType: type,
            expiresAfterSeconds: try ExpiresAfter.parse(body["expires_after"], param: "expires_after")
        )
    }

    private static func bytes(_ json: JSON, purpose: String) throws(APIError) -> UInt64 {
        switch json {
        case .null: throw .missing("bytes")
        case .integer(let bytes) where bytes >= 1:
            let limit = FilePurpose.maximumUploadBytes(purpose)
            guard UInt64(bytes) <= limit else {
                throw .invalidRequest(
                    "A file with purpose '\(purpose)' may have \(limit) bytes.",
                    param: "bytes",
                    code: "file_too_large"
                )
            }
            return UInt64(bytes)
        case .integer: throw .invalidValue("'bytes' must be at least 1.", param: "bytes")
        case let other: throw .invalidType("bytes", expected: "a whole number", other)
        }
    }
}

/// Body of `POST /v1/uploads/{id}/complete` (A8-03).
public enum CompleteUploadBody {
    /// Most parts.
    private static let maximumParts = 10_000
    /// Hexadecimal digits of an MD5.
    private static let md5Digits = 32
    private static let keys = ["part_ids", "md5"]

    /// Reads and checks a body; which parts there are is the scheduler's to say.
    ///
    /// - Throws: 400 with `param` naming the key at fault.
    public static func parse(_ body: ByteBuffer, uploadID: String) throws(APIError) -> ComposeUploadRequest {
        let body = try JSONObjectBody(body, known: Self.keys)
        let md5 = try body.text("md5") ?? ""
        guard
            md5.isEmpty
                || md5.utf8.count == Self.md5Digits && md5.unicodeScalars.allSatisfy(\.properties.isASCIIHexDigit)
        else {
            throw .invalidValue("'md5' must be \(Self.md5Digits) hexadecimal digits.", param: "md5")
        }
        return ComposeUploadRequest(uploadID: uploadID, partIds: try Self.partIDs(body["part_ids"]), md5: md5)
    }

    private static func partIDs(_ json: JSON) throws(APIError) -> [String] {
        guard json != .null else { throw .missing("part_ids") }
        guard case .array(let values) = json else {
            throw .invalidType("part_ids", expected: "an array of strings", json)
        }
        guard 1...Self.maximumParts ~= values.count else {
            throw .invalidValue("'part_ids' must name 1 to \(Self.maximumParts) parts.", param: "part_ids")
        }
        var ids: [String] = []
        ids.reserveCapacity(values.count)
        for (index, value) in values.enumerated() {
            guard case .string(let id) = value else {
                throw .invalidType("part_ids[\(index)]", expected: "a string", value)
            }
            guard ObjectName.isValid(id) else {
                throw .invalidValue("'part_ids[\(index)]' is not the id of a part.", param: "part_ids[\(index)]")
            }
            ids.append(id)
        }
        return ids
    }
}
