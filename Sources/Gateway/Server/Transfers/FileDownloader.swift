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

    /// The answer with the file's content; reading begins when it is written.
    func response(fileID: String) async throws -> Response {
        let reply = try await self.calls.call(FilesService.getFile, GetFileRequest(fileID: fileID))
        guard let file = reply.file, let length = Int(exactly: file.bytes) else { throw APIError.internalError }
        let slot = try self.budget.begin()
        // Read before the answer begins: a file that cannot be read is an error and not a cut connection.
        let start = try await self.read(fileID: fileID, offset: 0, length: min(UInt64(slot.chunkBytes), file.bytes))
        var headers = HTTPFields()
        headers[.contentType] = "application/octet-stream"
        headers[.contentDisposition] = AttachmentName.contentDisposition(filename: file.filename)
        let body = ResponseBody(contentLength: length) { writer in
            try await writer.write(start)
            try await self.stream(fileID: fileID, from: UInt64(start.readableBytes), file.bytes, slot, to: &writer)
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: headers, body: body)
    }

    /// Writes the file from an offset on; a failure ends the connection, which tells the client that bytes are missing.
    private func stream(
        fileID: String,
        from start: UInt64,
        _ bytes: UInt64,
        _ slot: TransferSlot,
        to writer: inout any ResponseBodyWriter
    ) async throws {
        try await withThrowingTaskGroup(of: (UInt64, ByteBuffer).self) { group in
            var requested = start
            var written = start
            var waiting: [UInt64: ByteBuffer] = [:]
            var inFlight = 0
            while written < bytes {
                while requested < bytes, inFlight + waiting.count < slot.window {
                    let (offset, length) = (requested, min(UInt64(slot.chunkBytes), bytes - requested))
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
