/// What a file is for (A7-01, A7-04).
public enum FilePurpose {
    /// Purposes with which a client may upload.
    public static let uploaded = ["assistants", "batch", "fine-tune", "vision", "user_data", "evals"]
    /// Purposes that a list may ask for.
    static let listed = uploaded + ["assistants_output", "batch_output", "fine-tune-results"]
    /// The purpose of a batch's input.
    public static let batch = "batch"

    /// Most bytes of a file: 512 MiB.
    public static let maximumFileBytes: UInt64 = 512 << 20
    /// Most bytes of a file with purpose `batch`: 200 MiB.
    public static let maximumBatchFileBytes: UInt64 = 200 << 20
    /// Most bytes of an upload in parts: 8 GiB (A8-01).
    public static let maximumUploadBytes: UInt64 = 8 << 30
    /// Longest file name, in bytes.
    static let maximumFilenameBytes = 2 << 10

    /// Most bytes of a file with this purpose, or of any file when the purpose is not known yet (A7-05).
    static func maximumBytes(_ purpose: String?) -> UInt64 {
        purpose == Self.batch ? Self.maximumBatchFileBytes : Self.maximumFileBytes
    }

    /// Most bytes of an upload in parts: A7-05 keeps its bound for batch inputs, other files may be larger than by one
    /// request (A8-01).
    static func maximumUploadBytes(_ purpose: String) -> UInt64 {
        purpose == Self.batch ? Self.maximumBatchFileBytes : Self.maximumUploadBytes
    }
}
