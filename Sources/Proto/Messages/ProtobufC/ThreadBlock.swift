import Glibc

/// Memory that each thread keeps for the next message that it encodes or decodes.
enum ThreadBlock {
    /// Size of a block: a message of a few kilobytes needs no other.
    static let bytes = 16 << 10

    /// nil when the process has no thread-specific values left; then each block is malloc's.
    private static let key: pthread_key_t? = {
        var key = pthread_key_t()
        guard pthread_key_create(&key, { $0?.deallocate() }) == 0 else { return nil }
        return key
    }()

    /// The thread's block, or another one when that is in use.
    static func take() -> UnsafeMutableRawPointer {
        guard let key = self.key, let block = pthread_getspecific(key) else {
            return .allocate(byteCount: self.bytes, alignment: 16)
        }
        // Nobody else takes it until it is given back.
        pthread_setspecific(key, nil)
        return block
    }

    /// On the thread that took it.
    static func giveBack(_ block: UnsafeMutableRawPointer) {
        guard let key = self.key, pthread_getspecific(key) == nil, pthread_setspecific(key, block) == 0 else {
            return block.deallocate()
        }
    }
}
