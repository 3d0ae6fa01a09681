import Checksum
import GatewayAPI
import NIOCore
import ProtoMessages
import ProtoRPC
import Synchronization

/// Cuts a file into chunks and sends them, several at a time.
struct ChunkWriter {
    /// The first failure of a chunk, seen before the window is full.
    private final class Outcome: Sendable {
        let failure = Mutex<APIError?>(nil)
    }

    private let upload: StagedUpload
    private let calls: SchedulerCalls
    private let slot: TransferSlot
    private let outcome = Outcome()
    private var chunk = ByteBuffer()
    private var chunkBytes: Int
    /// Position of the chunk in the file.
    private var offset: UInt64 = 0
    private var inFlight = 0

    init(upload: StagedUpload, calls: SchedulerCalls, slot: TransferSlot) {
        self.upload = upload
        self.calls = calls
        self.slot = slot
        self.chunkBytes = Self.chunkBytes(upload: upload, slot: slot)
    }

    /// Takes bytes of the file and waits while as many chunks are in flight as may be.
    ///
    /// - Throws: the failure of an earlier chunk.
    mutating func write(_ bytes: ByteBuffer, in group: inout ThrowingTaskGroup<Void, any Error>) async throws {
        if let failure = self.outcome.failure.withLock({ $0 }) { throw failure }
        var bytes = bytes
        while let piece = bytes.readSlice(
            length: min(self.chunkBytes - self.chunk.readableBytes, bytes.readableBytes)
        ), piece.readableBytes > 0 {
            if self.chunk.readableBytes == 0 { self.chunk.reserveCapacity(self.chunkBytes) }
            self.chunk.writeImmutableBuffer(piece)
            if self.chunk.readableBytes == self.chunkBytes { try await self.flush(in: &group) }
        }
    }

    /// Sends what is left.
    mutating func flush(in group: inout ThrowingTaskGroup<Void, any Error>) async throws {
        guard self.chunk.readableBytes > 0 else { return }
        while self.inFlight >= self.slot.window {
            try await group.next()
            self.inFlight -= 1
        }
        let data = self.chunk
        let request = WriteChunkRequest(
            uploadID: self.upload.id,
            offset: self.offset,
            data: data,
            crc32c: data.withUnsafeReadableBytes { CRC32C.checksum($0) }
        )
        let (calls, endpoint, outcome) = (self.calls, self.upload.endpoint, self.outcome)
        group.addTask {
            do throws(APIError) {
                _ = try await calls.persistently(FilesService.writeChunk, request, endpoint: endpoint)
            } catch {
                outcome.failure.withLock { $0 = $0 ?? error }
                throw error
            }
        }
        self.inFlight += 1
        self.offset += UInt64(data.readableBytes)
        self.chunk = ByteBuffer()
        self.chunkBytes = Self.chunkBytes(upload: self.upload, slot: self.slot)
    }

    private static func chunkBytes(upload: StagedUpload, slot: TransferSlot) -> Int {
        guard upload.maximumChunkBytes > 0 else { return slot.chunkBytes }
        return min(slot.chunkBytes, upload.maximumChunkBytes)
    }
}
