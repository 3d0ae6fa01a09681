import NIOCore
import ProtoGenerated

/// Bump-allocated memory for one message, freed as a whole.
///
/// It bounds what a message may cost: protobuf-c's unpack asks it for every field and fails cleanly when refused.
final class ProtoArena {
    private static let alignment = 16
    private static let smallestBlockBytes = 1 << 10

    private var blocks: [UnsafeMutableRawPointer] = []
    private var next: UnsafeMutableRawPointer?
    private var free = 0
    private var budget: Int

    /// - Parameters:
    ///   - limit: most bytes handed out in all.
    ///   - firstBlock: a guess at what will be needed, in bytes.
    init(limit: Int, firstBlock: Int = ProtoArena.smallestBlockBytes) {
        self.budget = limit
        self.addBlock(holding: min(firstBlock, limit))
    }

    deinit {
        for block in self.blocks {
            block.deallocate()
        }
    }

    /// Memory for `bytes` bytes, or nil once the limit is reached.
    func allocateBytes(_ bytes: Int) -> UnsafeMutableRawPointer? {
        guard bytes >= 0, bytes <= self.budget else { return nil }
        let rounded = (max(bytes, 1) + Self.alignment - 1) & ~(Self.alignment - 1)
        if rounded > self.free {
            self.addBlock(holding: rounded)
        }
        guard let start = self.next else { return nil }
        self.budget -= bytes
        self.next = start + rounded
        self.free -= rounded
        return start
    }

    private func addBlock(holding bytes: Int) {
        let doubled = min(Self.smallestBlockBytes << min(self.blocks.count, 10), 1 << 20)
        let size = max(bytes, doubled, Self.smallestBlockBytes)
        let block = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: Self.alignment)
        self.blocks.append(block)
        self.next = block
        self.free = size
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

    func bytes(_ value: ByteBuffer) throws(ProtoEncodingError) -> ProtobufCBinaryData {
        guard let copy = value.withUnsafeReadableBytes({ self.copy($0) }) else { throw .tooLarge }
        return copy
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
