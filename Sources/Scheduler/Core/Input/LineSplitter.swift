/// Cuts a stream of chunks into lines. A line inside one chunk is given in place; only what crosses a chunk's end is
/// copied, up to a limit.
///
/// LF and CRLF end lines; a lone CR does not. A UTF-8 byte order mark counts only as the file's first three bytes.
struct LineSplitter {
    private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

    /// One line of the file.
    struct Line {
        /// First byte in the file.
        var offset: UInt64
        /// 1-based number, blank lines included.
        var number: Int
        /// Bytes without the line end.
        var length: UInt64
    }

    private let maximumLineBytes: Int
    private var carried: [UInt8] = []
    private var carriedLength: UInt64 = 0
    private var position: UInt64 = 0
    private var lines = 0

    init(maximumLineBytes: Int) {
        self.maximumLineBytes = maximumLineBytes
    }

    /// Takes a chunk and gives the lines that end in it; the bytes of a line over the limit are nil.
    mutating func consume(_ chunk: UnsafeRawBufferPointer, _ take: (Line, UnsafeRawBufferPointer?) -> Void) {
        var start = 0
        while start < chunk.count {
            let rest = UnsafeRawBufferPointer(rebasing: chunk[start...])
            guard let length = rest.firstIndex(of: 0x0A) else {
                self.carry(rest)
                return
            }
            self.end(UnsafeRawBufferPointer(rebasing: rest[..<length]), take)
            self.position += 1
            start += length + 1
        }
    }

    /// Gives the last line when the file does not end with a line end.
    mutating func finish(_ take: (Line, UnsafeRawBufferPointer?) -> Void) {
        guard self.carriedLength > 0 else { return }
        self.end(UnsafeRawBufferPointer(start: nil, count: 0), take)
    }

    private mutating func carry(_ bytes: UnsafeRawBufferPointer) {
        self.carriedLength += UInt64(bytes.count)
        if self.carriedLength <= UInt64(self.maximumLineBytes) + 1 {
            self.carried.append(contentsOf: bytes)
        } else {
            // Too long: only its length matters from here on.
            self.carried = []
        }
        self.position += UInt64(bytes.count)
    }

    /// Ends a line: what was carried and then `tail`.
    private mutating func end(_ tail: UnsafeRawBufferPointer, _ take: (Line, UnsafeRawBufferPointer?) -> Void) {
        let length = self.carriedLength + UInt64(tail.count)
        let offset = self.position - self.carriedLength
        self.position += UInt64(tail.count)
        self.lines += 1
        defer {
            self.carriedLength = 0
            self.carried.removeAll(keepingCapacity: true)
        }
        guard length <= UInt64(self.maximumLineBytes) + 1 else {
            take(Line(offset: offset, number: self.lines, length: length), nil)
            return
        }
        if self.carriedLength == 0 {
            self.give(tail, offset, take)
        } else {
            self.carried.append(contentsOf: tail)
            self.carried.withUnsafeBytes { self.give($0, offset, take) }
        }
    }

    private func give(
        _ bytes: UnsafeRawBufferPointer,
        _ offset: UInt64,
        _ take: (Line, UnsafeRawBufferPointer?) -> Void
    ) {
        let skipped = offset == 0 && bytes.starts(with: Self.byteOrderMark) ? Self.byteOrderMark.count : 0
        let kept = bytes.count - (bytes.last == 0x0D ? 1 : 0)
        let line = Line(
            offset: offset + UInt64(skipped),
            number: self.lines,
            length: UInt64(max(kept - skipped, 0))
        )
        guard kept - skipped <= self.maximumLineBytes else { return take(line, nil) }
        take(line, UnsafeRawBufferPointer(rebasing: bytes[skipped..<max(kept, skipped)]))
    }
}
