import NIOCore
import ProtoRPC
import SchedulerCore
import SchedulerStores

/// The lines of a batch's input that its error file is about, as chunks of a new input. Blocking; one caller at a time.
final class FailedLines: @unchecked Sendable {
    // Guard: one caller at a time, which waits for each call before it makes the next.

    /// Bytes of the error file that are looked at at a time.
    private static let windowBytes = 1 << 20

    private let errors: any BlobReader
    private let reader: PlanReader
    private var wanted: LineSet?
    private var nextLine = 0
    private var waiting = ByteBuffer()

    init(errors: any BlobReader, reader: PlanReader) {
        self.errors = errors
        self.reader = reader
    }

    /// The next bytes, at most a chunk; nil at the end.
    func next() throws -> ByteBuffer? {
        let wanted = try self.wanted ?? self.scan()
        self.wanted = wanted
        while self.waiting.readableBytes < FilesHandlers.maximumChunkBytes {
            guard let page = try self.page(from: self.nextLine) else { break }
            self.nextLine += page.entries.count
            self.waiting.discardReadBytes()
            try page.forEachLine { number, _, line in
                guard wanted.contains(number) else { return }
                self.waiting.writeBytes(line)
                self.waiting.writeInteger(UInt8(ascii: "\n"))
            }
        }
        let count = min(self.waiting.readableBytes, FilesHandlers.maximumChunkBytes)
        return count == 0 ? nil : self.waiting.readSlice(length: count)
    }

    private func page(from line: Int) throws -> PlanReader.Page? {
        do {
            return try self.reader.page(from: line)
        } catch let error as UnreadableInput {
            throw RPCErrors.make(
                .dataLoss,
                "The stored input file cannot be read: \(error.reason).",
                reason: "input_file_damaged"
            )
        }
    }

    private func scan() throws -> LineSet {
        var scan = ErrorFileScan(total: self.reader.lines)
        var offset: Int64 = 0
        while offset < self.errors.bytes {
            let bytes = try self.errors.read(count: Self.windowBytes, at: offset)
            guard !bytes.isEmpty else { break }
            bytes.withUnsafeBytes { scan.consume($0) }
            offset += Int64(bytes.count)
        }
        scan.finish()
        return scan.lines
    }
}
