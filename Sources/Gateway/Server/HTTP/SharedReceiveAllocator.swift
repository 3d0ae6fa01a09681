import NIOCore

/// Sizes the buffers that a connection is read into: as NIO does by what came before, and never more than the transfers of
/// the process leave to each.
///
/// A connection whose bytes are taken slower than they come holds about a dozen full buffers, which at 64 KiB each was
/// most of the gateway's memory during many uploads (`make bench-transfers`).
struct SharedReceiveAllocator: RecvByteBufferAllocator {
    private var adaptive = AdaptiveRecvByteBufferAllocator()
    private let budget: TransferBudget

    init(budget: TransferBudget) {
        self.budget = budget
    }

    func nextBufferSize() -> Int? {
        min(self.adaptive.nextBufferSize() ?? .max, self.budget.readBytes)
    }

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
        allocator.buffer(capacity: self.nextBufferSize() ?? self.budget.readBytes)
    }

    mutating func record(actualReadBytes: Int) -> Bool {
        self.adaptive.record(actualReadBytes: actualReadBytes)
    }
}
