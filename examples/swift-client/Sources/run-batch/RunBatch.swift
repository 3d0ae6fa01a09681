// Runs requests, a line of JSON each on standard input, as one batch and writes the answers to standard output:
//
//     swift run run-batch /v1/chat/completions 127.0.0.1:7070 [MORE SCHEDULERS] < requests.jsonl
import BackfillClient

@main
struct RunBatch {
    static func main() async throws {
        let arguments = CommandLine.arguments.dropFirst()
        let schedulers = arguments.dropFirst().compactMap(self.endpoint)
        guard let path = arguments.first, !schedulers.isEmpty else {
            print("usage: run-batch PATH HOST:PORT... < requests.jsonl")
            return
        }
        let client = RPCClient(
            configuration: RPCClientConfiguration(endpoints: schedulers),
            logger: Logger(label: "run-batch") { StreamLogHandler.standardError(label: $0) }
        )
        // A service has a ServiceGroup that runs the client beside its own services.
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await client.run() }
            let batch = Batches(client: client)
            let input = try await batch.upload(self.standardInput())
            let ended = try await batch.run(input, path: path)
            for file in [ended.outputFileID, ended.errorFileID] where !file.isEmpty {
                try await batch.print(file)
            }
            group.cancelAll()
        }
    }

    private static func endpoint(_ text: String) -> RPCClient.Endpoint? {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]) else { return nil }
        return RPCClient.Endpoint(host: String(text[..<colon]), port: port)
    }

    private static func standardInput() -> ByteBuffer {
        var bytes = ByteBuffer()
        while let line = readLine(strippingNewline: false) { bytes.writeString(line) }
        return bytes
    }
}

/// Files and batches of one caller.
struct Batches {
    let client: RPCClient

    /// Sends a file in chunks, all to the scheduler that took the first.
    func upload(_ content: ByteBuffer) async throws -> String {
        let begun = try await self.client.reply(FilesService.beginUpload, BeginUploadRequest(purpose: "batch"))
        let options = CallOptions(lane: .bulk, endpoint: begun.endpoint)
        var rest = content
        while let data = rest.readSlice(length: min(rest.readableBytes, Int(begun.message.maximumChunkBytes))),
            data.readableBytes > 0
        {
            let chunk = WriteChunkRequest(
                uploadID: begun.message.uploadID,
                offset: UInt64(content.readableBytes - rest.readableBytes - data.readableBytes),
                data: data,
                crc32c: data.withUnsafeReadableBytes { CRC32C.checksum($0) }
            )
            _ = try await self.client.call(FilesService.writeChunk, chunk, options: options)
        }
        let complete = CompleteUploadRequest(
            uploadID: begun.message.uploadID,
            filename: "requests.jsonl",
            purpose: "batch",
            bytes: UInt64(content.readableBytes)
        )
        let file = try await self.client.call(FilesService.completeUpload, complete, options: options).file
        return file?.id ?? ""
    }

    /// Creates a batch and waits for its end. With a key the client may make the call again when its answer was lost:
    /// the scheduler finds the batch that is there.
    func run(_ input: String, path: String) async throws -> Batch {
        let request = CreateBatchRequest(inputFileID: input, endpoint: path, completionWindow: "24h")
        let key = String(UInt64.random(in: .min ... .max), radix: 16)
        let options = CallOptions(metadata: [("idempotency-key", key)])
        var batch = try await self.client.call(BatchesService.createBatch, request, options: options).batch ?? Batch()
        let ends: Set<BatchStatus> = [.completed, .failed, .expired, .cancelled]
        while !ends.contains(batch.status) {
            try await Task.sleep(for: .milliseconds(100))
            let request = GetBatchRequest(batchID: batch.id)
            batch = try await self.client.call(BatchesService.getBatch, request).batch ?? Batch()
        }
        return batch
    }

    /// Writes a file to standard output.
    func print(_ file: String) async throws {
        var offset: UInt64 = 0
        while true {
            let request = ReadFileRequest(fileID: file, offset: offset, maximumBytes: 256 << 10)
            let options = CallOptions(lane: .bulk)
            let data = try await self.client.call(FilesService.readFile, request, options: options).data
            guard data.readableBytes > 0 else { return }
            Swift.print(String(buffer: data), terminator: "")
            offset += UInt64(data.readableBytes)
        }
    }
}
