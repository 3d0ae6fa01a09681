import Glibc

/// Memory that each thread keeps for the next message that it encodes or decodes.
struct ThreadBlock {
    /// What stands in front of the memory of a block.
    private struct Header {
        /// Whether the thread keeps the block, or it was made for one message.
        var isKept: Bool
        var isTaken = true
    }

    /// Size of a block: a message of a few kilobytes needs no other.
    static let bytes = 16 << 10
    private static var headerBytes: Int { 16 }

    /// nil when the process has no thread-specific values left; then each block is malloc's.
    private static let key: pthread_key_t? = {
        var key = pthread_key_t()
        guard pthread_key_create(&key, { $0?.deallocate() }) == 0 else { return nil }
        return key
    }()

    private let start: UnsafeMutableRawPointer

    /// `bytes` bytes, aligned to 16.
    var memory: UnsafeMutableRawPointer { self.start + Self.headerBytes }

    /// The thread's block, or another one when that is in use.
    static func take() -> ThreadBlock {
        guard let key = self.key else { return self.make(isKept: false) }
        guard let start = pthread_getspecific(key) else {
            let block = self.make(isKept: true)
            if pthread_setspecific(key, block.start) != 0 { block.header.pointee.isKept = false }
            return block
        }
        let block = ThreadBlock(start: start)
        guard !block.header.pointee.isTaken else { return self.make(isKept: false) }
        block.header.pointee.isTaken = true
        return block
    }

    /// On the thread that took it.
    func giveBack() {
        if self.header.pointee.isKept {
            self.header.pointee.isTaken = false
        } else {
            self.start.deallocate()
        }
    }

    private static func make(isKept: Bool) -> ThreadBlock {
        let start = UnsafeMutableRawPointer.allocate(byteCount: self.headerBytes + self.bytes, alignment: 16)
        start.initializeMemory(as: Header.self, to: Header(isKept: isKept))
        return ThreadBlock(start: start)
    }

    private var header: UnsafeMutablePointer<Header> { self.start.assumingMemoryBound(to: Header.self) }
}
