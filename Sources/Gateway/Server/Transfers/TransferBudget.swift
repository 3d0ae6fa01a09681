import GatewayAPI
import Synchronization

/// Shares the memory for file content on its way between all uploads and downloads of the process.
///
/// Each transfer gets an equal share: first the window shrinks, then the chunks, and with them what is read at a time from
/// connections. A transfer that makes no progress takes nothing from the others beyond its share.
final class TransferBudget: Sendable {
    /// Bytes of chunks that are gathered or in flight, and of the frames that carry them, over all transfers.
    static let maximumBytes = 6 << 20
    /// Bytes that were read from the connections of all transfers and wait to be taken.
    static let maximumReceivedBytes = 2 << 20
    /// Reads of one connection that may wait: ten by the channel's water mark, and what one turn of the event loop adds.
    private static let maximumReads = 14
    private static let minimumReadBytes = 4 << 10
    private static let maximumReadBytes = 64 << 10
    /// Bytes of one chunk.
    static let maximumChunkBytes = 256 << 10
    private static let minimumChunkBytes = 16 << 10
    /// Room for what stands before a chunk in its message and frame.
    private static let frameHeadBytes = 4 << 10
    /// Chunks in flight of one transfer.
    static let maximumWindow = 4
    /// Transfers at a time, each of which has room for three of the smallest buffers: one chunk is gathered while another
    /// is on its way in its frame.
    static let maximumTransfers = maximumBytes / minimumChunkBytes / 3

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
        // A chunk and its frame's head should fill a buffer and not begin the next larger one.
        let buffer = Self.bufferBytes(min(max(bytes / 3, Self.minimumChunkBytes), Self.maximumChunkBytes))
        return (buffer - Self.frameHeadBytes, min(max((bytes / buffer - 1) / 2, 1), Self.maximumWindow))
    }

    /// Most bytes to read from a connection at a time, at the moment.
    var readBytes: Int {
        let bytes = Self.maximumReceivedBytes / max(1, self.transfers.withLock { $0 }) / Self.maximumReads
        return Self.bufferBytes(min(max(bytes, Self.minimumReadBytes), Self.maximumReadBytes))
    }

    /// The largest power of two up to `bytes`: what a buffer of that many bytes takes is the next one.
    private static func bufferBytes(_ bytes: Int) -> Int {
        1 << (Int.bitWidth - 1 - bytes.leadingZeroBitCount)
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
