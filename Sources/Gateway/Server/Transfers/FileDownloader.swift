import Checksum
import GatewayAPI
import HTTPTypes
import Hummingbird
import NIOCore
import ProtoMessages
import ProtoRPC

/// Streams a file's content from the scheduler to the client, in order, with several reads in flight.
struct FileDownloader: Sendable {
    /// Reads of a range that arrives damaged each time.
    private static let maximumReads = 3

    let calls: SchedulerCalls
    let budget: TransferBudget

    /// The answer with the file's content, or with the part that is asked for (A7-08); reading begins before it is
    /// written.
    func response(fileID: String, headers requested: HTTPFields) async throws -> Response {
        let file = try await self.file(fileID)
        let tag = EntityTag.of(fileID: file.id)
        var headers: HTTPFields = [.eTag: tag, .acceptRanges: "bytes"]
        if let known = requested[.ifNoneMatch], EntityTag.matches(known, tag) {
            return Response(status: .notModified, headers: headers)
        }
        headers[.contentType] = "application/octet-stream"
        headers[.contentDisposition] = AttachmentName.contentDisposition(filename: file.filename)
        let range = ByteRange(
            range: requested[.range],
            ifRange: requested[.ifRange],
            entityTag: tag,
            bytes: file.bytes
        )
        switch range {
        case .whole: return try await self.response(.ok, headers, [(file, 0..<file.bytes)])
        case .part(let part):
            headers[.contentRange] = "bytes \(part.lowerBound)-\(part.upperBound - 1)/\(file.bytes)"
            return try await self.response(.partialContent, headers, [(file, part)])
        case .unsatisfiable:
            var response = Response(
                error: APIError(
                    status: 416,
                    message: "The file has \(file.bytes) bytes; the range asked for lies beyond them.",
                    code: "range_not_satisfiable"
                )
            )
            response.headers[.contentRange] = "bytes */\(file.bytes)"
            return response
        }
    }

    /// The file's record.
    func file(_ id: String) async throws(APIError) -> File {
        guard let file = try await self.calls.call(FilesService.getFile, GetFileRequest(fileID: id)).file else {
            throw .internalError
        }
        return file
    }

    /// An answer with parts of files, one behind the other.
    func response(
        _ status: HTTPResponse.Status,
        _ headers: HTTPFields,
        _ parts: [(file: File, range: Range<UInt64>)]
    ) async throws -> Response {
        let bytes = parts.reduce(UInt64(0)) { $0 + UInt64($1.range.count) }
        guard let first = parts.first, let length = Int(exactly: bytes) else { throw APIError.internalError }
        let slot = try self.budget.begin()
        // Read before the answer begins: a file that cannot be read is an error and not a cut connection.
        let start = try await self.read(
            fileID: first.file.id,
            offset: first.range.lowerBound,
            length: min(UInt64(slot.chunkBytes), UInt64(first.range.count))
        )
        let body = ResponseBody(contentLength: length) { writer in
            try await writer.write(start)
            for (index, part) in parts.enumerated() {
                let read = index == 0 ? UInt64(start.readableBytes) : 0
                let rest = (part.range.lowerBound + read)..<part.range.upperBound
                try await self.stream(fileID: part.file.id, rest, slot, to: &writer)
            }
            try await writer.finish(nil)
        }
        return Response(status: status, headers: headers, body: body)
    }

    /// Writes a part of a file; a failure ends the connection, which tells the client that bytes are missing.
    private func stream(
        fileID: String,
        _ range: Range<UInt64>,
        _ slot: TransferSlot,
        to writer: inout any ResponseBodyWriter
    ) async throws {
        try await withThrowingTaskGroup(of: (UInt64, ByteBuffer).self) { group in
            var requested = range.lowerBound
            var written = range.lowerBound
            var waiting: [UInt64: ByteBuffer] = [:]
            var inFlight = 0
            while written < range.upperBound {
                while requested < range.upperBound, inFlight + waiting.count < slot.window {
                    let offset = requested
                    let length = min(UInt64(slot.chunkBytes), range.upperBound - requested)
                    group.addTask { (offset, try await self.read(fileID: fileID, offset: offset, length: length)) }
                    requested += length
                    inFlight += 1
                }
                if let (offset, chunk) = try await group.next() {
                    waiting[offset] = chunk
                    inFlight -= 1
                }
                while let chunk = waiting.removeValue(forKey: written) {
                    written += UInt64(chunk.readableBytes)
                    try await writer.write(chunk)
                }
            }
        }
    }

    /// Reads once more what was damaged on its way.
    private func intact(_ request: ReadFileRequest) async throws(APIError) -> ByteBuffer {
        for _ in 0..<Self.maximumReads {
            let response = try await self.calls.persistently(FilesService.readFile, request)
            // Schedulers of an earlier version send no checksum.
            guard let wanted = response.crc32c else { return response.data }
            if response.data.withUnsafeReadableBytes({ CRC32C.checksum($0) }) == wanted { return response.data }
        }
        throw .internalError
    }

    /// Reads a range; the scheduler may answer it in pieces.
    private func read(fileID: String, offset: UInt64, length: UInt64) async throws(APIError) -> ByteBuffer {
        var chunk = ByteBuffer()
        while UInt64(chunk.readableBytes) < length {
            let missing = length - UInt64(chunk.readableBytes)
            let request = ReadFileRequest(
                fileID: fileID,
                offset: offset + UInt64(chunk.readableBytes),
                maximumBytes: UInt32(clamping: missing)
            )
            let data = try await self.intact(request)
            // The file has become shorter, or the scheduler does not keep to what was asked.
            guard data.readableBytes > 0, data.readableBytes <= missing else { throw .internalError }
            if chunk.readableBytes == 0 { chunk = data } else { chunk.writeImmutableBuffer(data) }
        }
        return chunk
    }
}
