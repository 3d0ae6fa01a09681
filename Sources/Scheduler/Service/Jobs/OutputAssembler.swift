import SchedulerCore
import SchedulerStores

/// Writes a job's output and error file in input order, in bounded memory, and makes them durable. Blocking.
struct OutputAssembler {
    /// Bytes gathered before they are written.
    private static let bufferBytes = 1 << 20

    let batch: BatchRecord
    let reader: PlanReader
    let log: ResultLog
    let index: LocationIndex
    let blobs: any BlobStore

    /// Assembles both files under the ids of the record; an empty one is not made (A5-08).
    func run() throws -> (result: AssembledOutput, outputBytes: Int64, errorBytes: Int64) {
        let output = try OutputFile(
            key: FileBytes.outputKey(self.batch.outputFileID, epoch: self.batch.epoch),
            blobs: self.blobs
        )
        let errors = try OutputFile(
            key: FileBytes.outputKey(self.batch.errorFileID, epoch: self.batch.epoch),
            blobs: self.blobs
        )
        do {
            return try self.fill(output, errors)
        } catch {
            // What is left of them goes with the staging directory if it cannot go now.
            try? output.abort()
            try? errors.abort()
            throw error
        }
    }

    private func fill(
        _ output: OutputFile,
        _ errors: OutputFile
    ) throws -> (result: AssembledOutput, outputBytes: Int64, errorBytes: Int64) {
        let records = RecordWindow(log: self.log)
        var result = AssembledOutput(counts: RequestCounts(total: self.reader.lines), usage: TokenUsage())
        var first = 0
        while let page = try self.reader.page(from: first) {
            try page.forEachLine { number, _, line in
                guard let span = try? BatchLine.locate(line).customID else {
                    throw UnreadableInput("line \(number + 1) is not what it was")
                }
                let customID = UnsafeRawBufferPointer(rebasing: line[span])
                try self.append(number, customID, records, output, errors, &result)
            }
            try output.writeIfLarge(Self.bufferBytes)
            try errors.writeIfLarge(Self.bufferBytes)
            first += page.entries.count
        }
        let outputBytes = try output.finish(keep: result.counts.completed > 0)
        let errorBytes = try errors.finish(keep: result.counts.failed > 0)
        return (result, outputBytes, errorBytes)
    }

    private func append(
        _ number: Int,
        _ customID: UnsafeRawBufferPointer,
        _ records: RecordWindow,
        _ output: OutputFile,
        _ errors: OutputFile,
        _ result: inout AssembledOutput
    ) throws {
        let id = ObjectID.request(batchID: self.batch.id, line: number)
        guard let location = self.index[number] else {
            result.counts.failed += 1
            self.notRun.json.withUnsafeBytes {
                OutputLine.failed(id: id, customID: customID, error: $0, into: &errors.buffer)
            }
            return
        }
        try records.withRecord(of: number, at: location) { record, bytes in
            result.usage += record.usage
            if record.outcome == .success {
                result.counts.completed += 1
            } else {
                result.counts.failed += 1
            }
            let file = record.outcome == .success ? output : errors
            OutputLine.append(record, of: bytes, id: id, customID: customID, into: &file.buffer)
        }
    }

    private var notRun: LineError {
        self.batch.status == .cancelling ? .cancelled : .expired
    }
}

/// One of the two files while it is written.
private final class OutputFile {
    var buffer: [UInt8] = []
    private var written: Int64 = 0
    private let key: String
    private let staged: any StagedBlob

    init(key: String, blobs: any BlobStore) throws {
        self.key = key
        self.staged = try blobs.stage(key)
    }

    func writeIfLarge(_ bytes: Int) throws {
        guard self.buffer.count >= bytes else { return }
        try self.write()
    }

    func finish(keep: Bool) throws -> Int64 {
        guard keep else {
            try self.abort()
            return 0
        }
        try self.write()
        try self.staged.commit(as: self.key)
        return self.written
    }

    func abort() throws {
        try self.staged.abort()
    }

    private func write() throws {
        try self.buffer.withUnsafeBytes { try self.staged.write($0, at: self.written) }
        self.written += Int64(self.buffer.count)
        self.buffer.removeAll(keepingCapacity: true)
    }
}
