public import NIOCore
public import ProtoMessages

/// Body of `POST /v1/batches` (A2-01).
///
/// In place of `input_file_id` the requests themselves may stand in `requests` (`InlineRequests`).
///
/// Types, required keys and the bounds of `metadata` and `output_expires_after` are checked here; which endpoints and
/// completion windows there are is the scheduler's to say.
public enum CreateBatchBody {
    /// Longest body, in bytes.
    public static let maximumBytes = 1 << 20

    private static let keys = [
        "input_file_id", "requests", "endpoint", "completion_window", "metadata", "output_expires_after", "aibrix",
    ]

    /// Reads and checks a body.
    ///
    /// - Throws: 400 with `param` naming the key at fault.
    public static func parse(_ body: ByteBuffer) throws(APIError) -> CreateBatchRequest {
        var body = body
        let inline = try InlineRequests.extract(from: &body)
        let members = try JSONObjectBody(body, known: Self.keys)
        guard inline == nil || members["input_file_id"] == .null else {
            throw .invalidValue("Give either 'input_file_id' or 'requests'.", param: "requests")
        }
        let inputFileID = inline == nil ? try members.requiredText("input_file_id") : ""
        let endpoint = try members.requiredText("endpoint")
        return CreateBatchRequest(
            inputFileID: inputFileID,
            endpoint: endpoint,
            completionWindow: try members.requiredText("completion_window"),
            metadata: try BatchMetadata.parse(members["metadata"]),
            outputExpiresAfterSeconds: try ExpiresAfter.parse(
                members["output_expires_after"],
                param: "output_expires_after"
            ),
            inlineInput: try inline?.lines(endpoint: endpoint) ?? ByteBuffer(),
            aibrix: try AIBrixExtension.parse(members["aibrix"])
        )
    }
}

/// Bounds of a batch's metadata (A1-12).
enum BatchMetadata {
    private static let maximumPairs = 16
    private static let maximumKeyCharacters = 64
    private static let maximumValueCharacters = 512

    static func parse(_ json: JSON) throws(APIError) -> [String: String] {
        guard json != .null else { return [:] }
        guard case .object(let members) = json else {
            throw .invalidType("metadata", expected: "an object of strings", json)
        }
        guard members.count <= Self.maximumPairs else {
            throw .invalidValue(
                "'metadata' has \(members.count) pairs; at most \(Self.maximumPairs) are allowed.",
                param: "metadata"
            )
        }
        var metadata: [String: String] = [:]
        for (key, value) in members {
            metadata[key] = try Self.value(value, key: key)
        }
        return metadata
    }

    private static func value(_ json: JSON, key: String) throws(APIError) -> String {
        guard key.unicodeScalars.count <= Self.maximumKeyCharacters else {
            throw .invalidValue(
                "A key of 'metadata' is longer than \(Self.maximumKeyCharacters) characters.",
                param: "metadata"
            )
        }
        let param = "metadata.\(key)"
        guard case .string(let text) = json else {
            throw .invalidType(param, expected: "a string", json)
        }
        guard text.unicodeScalars.count <= Self.maximumValueCharacters else {
            throw .invalidValue(
                "'\(param)' is longer than \(Self.maximumValueCharacters) characters.",
                param: param
            )
        }
        // Protobuf's C strings end at NUL.
        guard !key.utf8.contains(0), !text.utf8.contains(0) else {
            throw .invalidValue("'metadata' must not contain NUL.", param: "metadata")
        }
        return text
    }
}

extension APIError {
    /// 400: a value of the wrong JSON type.
    static func invalidType(_ name: String, expected: String, _ found: JSON) -> APIError {
        .invalidRequest(
            "Invalid type for '\(name)': expected \(expected), but got \(found.kind) instead.",
            param: name,
            code: "invalid_type"
        )
    }
}
