/// What a connection has still to send: memory that is filled at its end and sent from its start.
///
/// What was given to `CurlLink.send` stays where it is until it was sent, as TLS needs it.
struct OutgoingBytes: ~Copyable {
    /// Memory above this many bytes is not kept for the next request.
    static let keptBytes = 16 << 10
    private static let usualBytes = 2 << 10

    private var memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    private var start = 0
    private var end = 0

    init() {}

    deinit {
        self.memory.deallocate()
    }

    /// Bytes to send.
    var unsent: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: self.memory[self.start..<self.end])
    }

    /// Nothing is to be sent.
    var isEmpty: Bool { self.start == self.end }

    /// Room for this many bytes behind what is there. Nothing may have been given to `CurlLink.send`.
    mutating func reserve(_ count: Int) {
        guard self.memory.count - self.end < count else { return }
        let grown = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(self.end + count, 2 * self.memory.count, Self.usualBytes),
            alignment: 16
        )
        grown.copyMemory(from: UnsafeRawBufferPointer(rebasing: self.memory[..<self.end]))
        self.memory.deallocate()
        self.memory = grown
    }

    /// Appends a text.
    mutating func append(_ text: String) {
        var text = text
        text.withUTF8 { bytes in
            self.fill(bytes.count) { $0.copyMemory(from: UnsafeRawBufferPointer(bytes)) }
        }
    }

    /// Appends bytes.
    mutating func append(_ bytes: [UInt8]) {
        self.fill(bytes.count) { $0.copyBytes(from: bytes) }
    }

    /// Has this many bytes written behind what is there.
    mutating func fill(_ count: Int, _ write: (UnsafeMutableRawBufferPointer) -> Void) {
        self.reserve(count)
        write(UnsafeMutableRawBufferPointer(rebasing: self.memory[self.end..<(self.end + count)]))
        self.end += count
    }

    /// Has up to this many bytes written behind what is there.
    /// - Parameter write: gives how many it wrote; nil: none yet.
    mutating func fill(upTo count: Int, _ write: (UnsafeMutableRawBufferPointer) throws -> Int?) rethrows -> Int? {
        self.reserve(count)
        let room = UnsafeMutableRawBufferPointer(rebasing: self.memory[self.end..<(self.end + count)])
        guard let written = try write(room) else { return nil }
        self.end += min(max(written, 0), count)
        return written
    }

    /// Bytes were sent.
    mutating func sent(_ count: Int) {
        self.start += count
        if self.isEmpty { (self.start, self.end) = (0, 0) }
    }

    /// Drops what is there, and memory that only a large request needed.
    mutating func removeAll() {
        (self.start, self.end) = (0, 0)
        guard self.memory.count > Self.keptBytes else { return }
        self.memory.deallocate()
        self.memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    }
}
