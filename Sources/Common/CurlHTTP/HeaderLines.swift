import CCurl

/// The header lines of one handle's requests, as libcurl wants them: a list of texts that end in a zero. It is written
/// anew for each request, in memory that is used again.
///
/// libcurl keeps a pointer to the list and reads it during the request.
struct HeaderLines: ~Copyable {
    /// An empty Expect: libcurl would otherwise wait for a 100 before larger bodies.
    private static let always: StaticString = "Expect:"
    private static let usualBytes = 512
    /// Text memory above this many bytes is not kept for a request that needs less.
    private static let keptBytes = 4 << 10

    private(set) var text = UnsafeMutableRawBufferPointer.allocate(byteCount: usualBytes, alignment: 1)
    private var nodes = UnsafeMutableBufferPointer<curl_slist>.allocate(capacity: 8)

    /// The first line; it may be another one after each `write`.
    var list: UnsafeMutablePointer<curl_slist>? { self.nodes.baseAddress }

    init() {
        self.nodes.initialize(repeating: curl_slist(data: nil, next: nil))
    }

    deinit {
        self.text.deallocate()
        self.nodes.deallocate()
    }

    /// Writes the lines of a request.
    /// - Returns: false when a name or a value holds bytes that could end the line.
    mutating func write(_ headers: [HTTPHeader]) -> Bool {
        let bytes = headers.reduce(Self.always.utf8CodeUnitCount + 1) {
            $0 + $1.name.utf8.count + $1.value.utf8.count + 3
        }
        self.reserve(bytes: bytes, lines: headers.count + 1)
        var end = 0
        self.begin(0, at: end)
        self.append(UnsafeRawBufferPointer(start: Self.always.utf8Start, count: Self.always.utf8CodeUnitCount), &end)
        for (index, header) in headers.enumerated() {
            guard header.isSafe else { return false }
            self.endLine(&end)
            self.begin(index + 1, at: end)
            self.append(header.name, &end)
            self.append(": ", &end)
            self.append(header.value, &end)
        }
        self.endLine(&end)
        self.nodes[headers.count].next = nil
        return true
    }

    private mutating func reserve(bytes: Int, lines: Int) {
        if self.text.count < bytes || self.text.count > max(bytes, Self.keptBytes) {
            self.text.deallocate()
            self.text = .allocate(byteCount: max(bytes, Self.usualBytes), alignment: 1)
        }
        if self.nodes.count < lines {
            self.nodes.deallocate()
            self.nodes = .allocate(capacity: lines)
            self.nodes.initialize(repeating: curl_slist(data: nil, next: nil))
        }
    }

    private func begin(_ line: Int, at offset: Int) {
        self.nodes[line].data = self.text.baseAddress.map { ($0 + offset).assumingMemoryBound(to: CChar.self) }
        if line > 0, let node = self.nodes.baseAddress { self.nodes[line - 1].next = node + line }
    }

    private func endLine(_ end: inout Int) {
        self.text[end] = 0
        end += 1
    }

    private func append(_ text: String, _ end: inout Int) {
        var text = text
        text.withUTF8 { self.append(UnsafeRawBufferPointer($0), &end) }
    }

    private func append(_ bytes: UnsafeRawBufferPointer, _ end: inout Int) {
        UnsafeMutableRawBufferPointer(rebasing: self.text[end...]).copyMemory(from: bytes)
        end += bytes.count
    }
}
