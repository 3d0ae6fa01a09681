import NIOCore

/// Buffers that are used again once everybody else has let go of them, so that a busy connection neither allocates nor
/// touches new pages for each read and write.
struct BufferPool {
    /// Most buffers that are kept.
    private static let maximumCount = 4
    /// A buffer this many times larger than what is needed is let go of: an idle connection keeps little.
    private static let maximumExcess = 4
    private static let smallestCapacity = 1_024

    private var buffers: [ByteBuffer] = []

    /// An empty buffer with room for `capacity` bytes.
    mutating func take(capacity: Int) -> ByteBuffer {
        let capacity = max(capacity, Self.smallestCapacity)
        for index in self.buffers.indices.reversed() {
            let isFree = self.buffers[index].modifyIfUniquelyOwned { $0.clear() } != nil
            guard isFree else { continue }
            let buffer = self.buffers.remove(at: index)
            if buffer.capacity >= capacity, buffer.capacity <= capacity * Self.maximumExcess { return buffer }
        }
        return ByteBufferAllocator().buffer(capacity: capacity)
    }

    /// Remembers a buffer that was passed on, to be used again once it is free.
    mutating func remember(_ buffer: ByteBuffer) {
        if self.buffers.count >= Self.maximumCount { self.buffers.removeFirst() }
        self.buffers.append(buffer)
    }
}
