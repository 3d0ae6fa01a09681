import GatewayAPI
import Synchronization

/// Shares the memory for file chunks in flight between all uploads and downloads of the process.
///
/// Each transfer gets an equal share: first the window shrinks, then the chunks. A transfer that makes no progress
/// takes nothing from the others beyond its share.
final class TransferBudget: Sendable {
    /// Bytes of chunks in flight, over all transfers.
    static let maximumBytes = 8 << 20
    /// Bytes of one chunk.
    static let maximumChunkBytes = 256 << 10
    private static let minimumChunkBytes = 32 << 10
    /// Chunks in flight of one transfer.
    private static let maximumWindow = 4
    /// Transfers at a time, each of which has room for the smallest chunk.
    static let maximumTransfers = maximumBytes / minimumChunkBytes

    private let active = Mutex(0)

    /// Bytes of a chunk and number of chunks that a transfer may have in flight now.
    var share: (chunkBytes: Int, window: Int) {
        let bytes = Self.maximumBytes / max(1, self.active.withLock { $0 })
        let chunkBytes = min(max(bytes, Self.minimumChunkBytes), Self.maximumChunkBytes)
        return (chunkBytes, min(max(bytes / chunkBytes, 1), Self.maximumWindow))
    }

    /// Runs a transfer.
    ///
    /// - Throws: 503 when there are too many, else what the body throws.
    func withTransfer<Result>(
        isolation: isolated (any Actor)? = #isolation,
        _ body: () async throws -> Result
    ) async throws -> Result {
        try self.begin()
        defer { self.active.withLock { $0 -= 1 } }
        return try await body()
    }

    private func begin() throws(APIError) {
        let hasRoom = self.active.withLock { active in
            guard active < Self.maximumTransfers else { return false }
            active += 1
            return true
        }
        guard hasRoom else {
            throw .unavailable("Too many files are being transferred. Try again in a moment.", code: "slow_down")
        }
    }
}
