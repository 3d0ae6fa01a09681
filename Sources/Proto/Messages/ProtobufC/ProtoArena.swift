import NIOCore
import ProtoGenerated

/// Bump-allocated memory for one message, freed as a whole.
///
/// It bounds what a message may cost: protobuf-c's unpack asks it for every field and fails cleanly when refused.
///
/// A handle that lives inside of `with` only: copies of it share the memory. It is no class, and its first block is the
/// thread's own, because an object and a block for each message took a tenth of a call's time.
struct ProtoArena {
    private static let alignment = 16
    /// In front of each block that is not the thread's: the address of the one before.
    private static let blockHeaderBytes = alignment
    private static let largestGrowthBytes = 1 << 20

    private struct State {
        /// Where the next allocation begins.
        var next: UnsafeMutableRawPointer
        var free: Int
        /// Bytes that may still be handed out.
        var budget: Int
        var newestBlock: UnsafeMutableRawPointer?
        var growthBytes = 2 * ThreadBlock.bytes
    }

    private let state: UnsafeMutablePointer<State>

    /// Runs `body` with an arena; what it has allocated is gone afterwards.
    ///
    /// - Parameter limit: most bytes handed out in all.
    static func with<Result, Failure: Error>(
        limit: Int,
        _ body: (ProtoArena) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let block = ThreadBlock.take()
        var state = State(next: block.memory, free: ThreadBlock.bytes, budget: limit)
        defer {
            Self.freeBlocks(of: state)
            block.giveBack()
        }
        return try withUnsafeMutablePointer(to: &state) { state throws(Failure) in
            try body(ProtoArena(state: state))
        }
    }

    /// Memory for `bytes` bytes, or nil once the limit is reached.
    func allocateBytes(_ bytes: Int) -> UnsafeMutableRawPointer? {
        guard self.take(bytes) else { return nil }
        let rounded = (max(bytes, 1) + Self.alignment - 1) & ~(Self.alignment - 1)
        if rounded > self.state.pointee.free {
            self.addBlock(holding: rounded)
        }
        let start = self.state.pointee.next
        self.state.pointee.next = start + rounded
        self.state.pointee.free -= rounded
        return start
    }

    /// Counts bytes against the limit. Gives false, and counts nothing, when they go beyond it.
    private func take(_ bytes: Int) -> Bool {
        guard bytes >= 0, bytes <= self.state.pointee.budget else { return false }
        self.state.pointee.budget -= bytes
        return true
    }

    private func addBlock(holding bytes: Int) {
        let size = max(bytes, self.state.pointee.growthBytes)
        self.state.pointee.growthBytes = min(2 * self.state.pointee.growthBytes, Self.largestGrowthBytes)
        let block = UnsafeMutableRawPointer.allocate(
            byteCount: Self.blockHeaderBytes + size,
            alignment: Self.alignment
        )
        block.storeBytes(of: self.state.pointee.newestBlock, as: UnsafeMutableRawPointer?.self)
        self.state.pointee.newestBlock = block
        self.state.pointee.next = block + Self.blockHeaderBytes
        self.state.pointee.free = size
    }

    private static func freeBlocks(of state: State) {
        var block = state.newestBlock
        while let current = block {
            block = current.load(as: UnsafeMutableRawPointer?.self)
            current.deallocate()
        }
    }
}

// MARK: - For protobuf-c

extension ProtoArena {
    /// Lets protobuf-c allocate from the arena, which has to outlive it.
    var allocator: ProtobufCAllocator {
        ProtobufCAllocator(
            alloc: { data, size in
                guard let state = data?.assumingMemoryBound(to: State.self) else { return nil }
                return ProtoArena(state: state).allocateBytes(size)
            },
            // Freed as a whole with the arena.
            free: { _, _ in },
            allocator_data: UnsafeMutableRawPointer(self.state)
        )
    }
}

// MARK: - Building protobuf-c structs

extension ProtoArena {
    func allocate<T>(_ type: T.Type) throws(ProtoEncodingError) -> UnsafeMutablePointer<T> {
        try self.allocate(type, count: 1)
    }

    private func allocate<T>(_: T.Type, count: Int) throws(ProtoEncodingError) -> UnsafeMutablePointer<T> {
        let (bytes, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<T>.stride)
        guard !overflow, let memory = self.allocateBytes(bytes) else { throw .tooLarge }
        return memory.bindMemory(to: T.self, capacity: count)
    }

    func string(_ value: String) throws(ProtoEncodingError) -> ProtobufCBinaryData {
        var value = value
        var copy: ProtobufCBinaryData?
        value.withUTF8 { copy = self.copy(UnsafeRawBufferPointer($0)) }
        guard let copy else { throw .tooLarge }
        return copy
    }

    /// The bytes where they are, since they may be a megabyte: the message that is encoded keeps their storage.
    func bytes(_ value: ByteBuffer) throws(ProtoEncodingError) -> ProtobufCBinaryData {
        guard self.take(value.readableBytes) else { throw .tooLarge }
        return value.withUnsafeReadableBytes { bytes in
            ProtobufCBinaryData(
                len: bytes.count,
                data: UnsafeMutablePointer(mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
            )
        }
    }

    private func copy(_ source: UnsafeRawBufferPointer) -> ProtobufCBinaryData? {
        guard let base = source.baseAddress, source.count > 0 else { return ProtobufCBinaryData(len: 0, data: nil) }
        guard let memory = self.allocateBytes(source.count) else { return nil }
        memory.copyMemory(from: base, byteCount: source.count)
        return ProtobufCBinaryData(len: source.count, data: memory.assumingMemoryBound(to: UInt8.self))
    }

    func message<Message: ProtobufCConvertible>(
        _ value: Message
    ) throws(ProtoEncodingError) -> UnsafeMutablePointer<Message.CMessage> {
        let message = try self.allocate(Message.CMessage.self)
        Message.initialize(message)
        try value.lower(into: &message.pointee, arena: self)
        return message
    }

    func array<Value, Element>(
        _ values: [Value],
        _ lower: (Value) throws(ProtoEncodingError) -> Element
    ) throws(ProtoEncodingError) -> UnsafeMutablePointer<Element>? {
        guard !values.isEmpty else { return nil }
        let memory = try self.allocate(Element.self, count: values.count)
        for (index, value) in values.enumerated() {
            (memory + index).initialize(to: try lower(value))
        }
        return memory
    }
}
