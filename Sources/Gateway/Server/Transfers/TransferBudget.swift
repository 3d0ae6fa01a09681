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
    static let maximumWindow = 4
    /// Transfers at a time, each of which has room for the smallest chunk.
    static let maximumTransfers = maximumBytes / minimumChunkBytes

    private let transfers = Mutex(0)

    /// Begins a transfer; it ends when its slot is released.
    ///
    /// - Throws: 503 when there are too many.
    func begin() throws(APIError) -> TransferSlot {
        let hasRoom = self.transfers.withLock { transfers in
            guard transfers < Self.maximumTransfers else { return false }
            transfers += 1
            return true
        }
        guard hasRoom else {
            throw .unavailable("Too many files are being transferred. Try again in a moment.", code: "slow_down")
        }
        return TransferSlot(budget: self)
    }

    fileprivate func end() {
        self.transfers.withLock { $0 -= 1 }
    }

    fileprivate var share: (chunkBytes: Int, window: Int) {
        let bytes = Self.maximumBytes / max(1, self.transfers.withLock { $0 })
        let chunkBytes = min(max(bytes, Self.minimumChunkBytes), Self.maximumChunkBytes)
        return (chunkBytes, min(max(bytes / chunkBytes, 1), Self.maximumWindow))
    }
}

/// One transfer's part of the budget, for as long as this object lives.
final class TransferSlot: Sendable {
    private let budget: TransferBudget

    fileprivate init(budget: TransferBudget) {
        self.budget = budget
    }

    deinit {
        self.budget.end()
    }

    /// Bytes of one chunk at the moment.
    var chunkBytes: Int { self.budget.share.chunkBytes }

    /// Chunks that may be in flight at the moment.
    var window: Int { self.budget.share.window }
}
