/// Finds out which lines of a batch its error file is about; takes the file in chunks of any size.
///
/// The id at the start of each line tells (`ObjectID.request`), so that neither the answers in the file nor the
/// `custom_id`s need be looked at.
public struct ErrorFileScan: Sendable {
    /// `{"id":"batch_req_`, the batch's 32 digits and the line's 8.
    private static let start = Array(#"{"id":"batch_req_"#.utf8)
    private static let headBytes = start.count + 32 + 8

    /// The lines found.
    public private(set) var lines: LineSet
    private var head: [UInt8] = []

    /// Nothing found yet, of a batch of `total` lines.
    public init(total: Int) {
        self.lines = LineSet(total: total)
    }

    /// Takes the next bytes of the file.
    public mutating func consume(_ chunk: UnsafeRawBufferPointer) {
        var rest = chunk[...]
        while !rest.isEmpty {
            self.head.append(contentsOf: rest.prefix(max(Self.headBytes - self.head.count, 0)).prefix { $0 != 0x0A })
            guard let end = rest.firstIndex(of: 0x0A) else { return }
            self.take()
            rest = rest[(end + 1)...]
        }
    }

    /// Takes note that the file is at its end.
    public mutating func finish() {
        self.take()
    }

    private mutating func take() {
        defer { self.head.removeAll(keepingCapacity: true) }
        guard self.head.count == Self.headBytes, self.head.starts(with: Self.start),
            let line = Int(String(decoding: self.head.suffix(8), as: UTF8.self), radix: 16)
        else { return }
        self.lines.insert(line)
    }
}
