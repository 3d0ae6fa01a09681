import COpenSSL
import NIOCore

/// The two ends of a `BIO` whose bytes are the channel's own buffers: libssl reads records from where the socket left
/// them, and writes records to where the socket takes them, without a buffer between.
///
/// Bound to one event loop, as the connection that owns it.
final class ChannelBIO {
    /// Records from the peer that libssl has not read yet. libssl takes all there is, so this is empty between reads.
    private(set) var received = ByteBuffer()
    /// Records for the peer.
    private(set) var sent = ByteBuffer()
    private var pool = BufferPool()

    /// Adds what the channel has read.
    func receive(_ buffer: ByteBuffer) {
        guard self.received.readableBytes > 0 else {
            self.received = buffer
            return
        }
        self.received.writeImmutableBuffer(buffer)
    }

    /// Lets go of a buffer that was read to its end, so that the channel can use it again.
    func releaseReceived() {
        guard self.received.readableBytes == 0 else { return }
        self.received = ByteBuffer()
    }

    /// Makes room for records.
    func reserve(_ bytes: Int) {
        if self.sent.readableBytes == 0, self.sent.capacity < bytes {
            self.sent = self.pool.take(capacity: bytes)
        } else {
            self.sent.reserveCapacity(minimumWritableBytes: bytes)
        }
    }

    /// Takes the records for the peer, if there are any.
    func takeSent() -> ByteBuffer? {
        guard self.sent.readableBytes > 0 else { return nil }
        let records = self.sent
        self.sent = ByteBuffer()
        self.pool.remember(records)
        return records
    }

    /// A new `BIO` over this object, which must outlive it. nil when there is no memory.
    func makeBIO() -> OpaquePointer? {
        guard let method = Self.method.pointer, let bio = BIO_new(method) else { return nil }
        BIO_set_data(bio, Unmanaged.passUnretained(self).toOpaque())
        BIO_set_init(bio, 1)
        return bio
    }

    // MARK: - What libssl calls

    fileprivate func read(into bytes: UnsafeMutableRawBufferPointer) -> Int {
        self.received.readWithUnsafeReadableBytes { readable in
            let count = min(readable.count, bytes.count)
            bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: readable.prefix(count)))
            return count
        }
    }

    fileprivate func write(_ bytes: UnsafeRawBufferPointer) {
        self.sent.writeBytes(bytes)
    }

    fileprivate static func of(_ bio: OpaquePointer?) -> ChannelBIO? {
        guard let bio, let data = BIO_get_data(bio) else { return nil }
        return Unmanaged<ChannelBIO>.fromOpaque(data).takeUnretainedValue()
    }

    private static let method = Method()
}

extension ChannelBIO {
    /// The table of functions, made once and never freed.
    ///
    /// Shared unchecked; the guard is that nobody changes the table after `init`.
    private struct Method: @unchecked Sendable {
        let pointer: OpaquePointer?

        init() {
            self.pointer = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "channel")
            BIO_meth_set_read(self.pointer) { bio, bytes, count in
                copenssl_clear_retry(bio)
                guard let channel = ChannelBIO.of(bio), let bytes, count > 0 else { return 0 }
                let read = channel.read(into: UnsafeMutableRawBufferPointer(start: bytes, count: Int(count)))
                // Nothing there is no end: the peer's bytes come with the next read of the channel.
                guard read > 0 else {
                    copenssl_retry_read(bio)
                    return -1
                }
                return Int32(truncatingIfNeeded: read)
            }
            BIO_meth_set_write(self.pointer) { bio, bytes, count in
                copenssl_clear_retry(bio)
                guard let channel = ChannelBIO.of(bio), let bytes, count > 0 else { return 0 }
                channel.write(UnsafeRawBufferPointer(start: bytes, count: Int(count)))
                return count
            }
            BIO_meth_set_ctrl(self.pointer) { _, command, _, _ in
                // The handshake flushes; the handler sends what there is after each call anyway.
                command == BIO_CTRL_FLUSH ? 1 : 0
            }
        }
    }
}
