import Foundation

/// A form with a file that is read from disk while it is sent.
final class MultipartFile: @unchecked Sendable {
    // Guard: `read` is called by one transfer on one thread.

    let length: Int64
    let contentType: String
    private let handle: FileHandle
    private var head: [UInt8]
    private var tail: [UInt8]
    private var left: Int64

    init(path: String, purpose: String) throws {
        guard let handle = FileHandle(forReadingAtPath: path) else { throw ToolError.input("cannot open \(path)") }
        let bytes = Int64(try handle.seekToEnd())
        try handle.seek(toOffset: 0)
        let boundary = "backfill-\(UInt64.random(in: .min ... .max))"
        // The name is data: only what could end the quoted string is replaced.
        let name = path.split(separator: "/").last.map(String.init) ?? "input.jsonl"
        let safe = name.replacing("\"", with: "%22").filter { !$0.isNewline }
        self.handle = handle
        self.contentType = "multipart/form-data; boundary=\(boundary)"
        self.head = Array(
            ("--\(boundary)\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\n\(purpose)\r\n"
                + "--\(boundary)\r\ncontent-disposition: form-data; name=\"file\"; filename=\"\(safe)\"\r\n"
                + "content-type: application/jsonl\r\n\r\n").utf8
        )
        self.tail = Array("\r\n--\(boundary)--\r\n".utf8)
        self.left = bytes
        self.length = Int64(self.head.count) + bytes + Int64(self.tail.count)
    }

    /// Fills a buffer with the next bytes of the form; 0 at its end.
    func read(_ buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        if !self.head.isEmpty { return Self.take(&self.head, buffer) }
        if self.left > 0 {
            let wanted = min(buffer.count, Int(min(self.left, Int64(Int.max))))
            guard let data = try self.handle.read(upToCount: wanted), !data.isEmpty else {
                throw ToolError.input("the input file became shorter while it was sent")
            }
            self.left -= Int64(data.count)
            data.copyBytes(to: buffer)
            return data.count
        }
        return Self.take(&self.tail, buffer)
    }

    private static func take(_ bytes: inout [UInt8], _ buffer: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(bytes.count, buffer.count)
        buffer.copyBytes(from: bytes[..<count])
        bytes.removeFirst(count)
        return count
    }
}
