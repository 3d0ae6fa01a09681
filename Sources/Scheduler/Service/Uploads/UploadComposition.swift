import ProtoRPC
import SchedulerCore
import SchedulerStores

/// The bytes of parts on their way into one file, with the file-level pass over a batch input as they go by. Blocking;
/// memory does not grow with the file.
final class UploadComposition: @unchecked Sendable {
    // Guard: `UploadCompletion` makes one call at a time.

    /// Bytes of one read and write.
    private static let bufferBytes = 1 << 20
    /// Bytes of one step, so that other work gets its turn on the thread.
    private static let stepBytes: Int64 = 4 << 20
    /// Bytes between two syncs: the commit must not have gigabytes to sync at the end.
    private static let syncBytes: Int64 = 64 << 20

    private let parts: [UploadPartRecord]
    private let isBatchInput: Bool
    private let blobs: any BlobStore
    private let md5: MD5?
    private let writer: UploadWriter
    private var buffer = [UInt8](repeating: 0, count: UploadComposition.bufferBytes)
    private var next = 0
    private var part: (any BlobReader)?
    /// Bytes of the part that were taken.
    private var offset: Int64 = 0
    private var syncedBytes: Int64 = 0

    /// - Parameters:
    ///   - id: of the file; names what is staged.
    ///   - parts: in the file's order.
    ///   - hashes: whether the MD5 is wanted too.
    /// - Throws: INVALID_ARGUMENT when it is wanted and libcrypto has none.
    init(
        id: String,
        parts: [UploadPartRecord],
        isBatchInput: Bool,
        hashes: Bool,
        blobs: any BlobStore
    ) throws {
        self.parts = parts
        self.isBatchInput = isBatchInput
        self.md5 = hashes ? MD5() : nil
        guard !hashes || self.md5 != nil else {
            throw RPCErrors.invalid("md5", "MD5 is not available here: leave 'md5' out.")
        }
        self.blobs = blobs
        self.writer = try UploadWriter(id: id, mayBeBatchInput: isBatchInput, blobs: blobs)
    }

    /// Takes the next bytes; false when all are taken and durable.
    func step() throws -> Bool {
        let end = self.writer.stagedBytes + Self.stepBytes
        while self.writer.stagedBytes < end {
            guard try self.copy() else {
                try self.writer.sync()
                return false
            }
        }
        if self.writer.stagedBytes - self.syncedBytes >= Self.syncBytes {
            try self.writer.sync()
            self.syncedBytes = self.writer.stagedBytes
        }
        return true
    }

    /// The MD5 of all bytes, once; nil when nobody asked for it.
    func hash() -> String? { self.md5?.finish() }

    /// Makes the bytes a file and says what the pass found.
    func commit(as fileID: String) throws -> InputFileFindings? {
        try self.writer.complete(as: fileID, isBatchInput: self.isBatchInput)
    }

    /// Throws the bytes away.
    func abort() throws {
        try self.writer.abort()
    }

    /// Takes one buffer of bytes; false when there are none left.
    private func copy() throws -> Bool {
        guard let reader = try self.reader() else { return false }
        let (writer, md5, offset) = (self.writer, self.md5, self.offset)
        self.offset += try self.buffer.withUnsafeMutableBytes { buffer in
            let wanted = min(Int64(buffer.count), reader.bytes - offset)
            let count = try reader.read(
                into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(wanted)]),
                at: offset
            )
            // The size was looked at when it was opened, and nobody shortens a blob.
            guard count > 0 else { throw RPCErrors.make(.dataLoss, "a part has become shorter") }
            let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            try writer.append(bytes)
            md5?.update(bytes)
            return Int64(count)
        }
        return true
    }

    /// The part to read from.
    private func reader() throws -> (any BlobReader)? {
        if let part = self.part, self.offset < part.bytes { return part }
        guard self.next < self.parts.count else { return nil }
        let record = self.parts[self.next]
        let part = try self.blobs.open(record.id)
        guard part.bytes == record.bytes else {
            throw RPCErrors.make(.dataLoss, "The part \(record.id) is damaged.", reason: "file_damaged")
        }
        self.part = part
        self.offset = 0
        self.next += 1
        return part
    }
}
