import SchedulerCore
import SchedulerStores
import Testing

struct ResultLogTests {
    let directory: TemporaryDirectory
    let window: CompletionWindow

    init() throws {
        self.directory = try TemporaryDirectory()
        self.window = try #require(CompletionWindow("24h"))
    }

    private func batch(epoch: UInt32, segments: [SegmentReference] = []) -> BatchRecord {
        var batch = BatchRecord(
            id: "batch_1",
            tenant: "t",
            endpoint: "/v1/chat/completions",
            inputFileID: "file-1",
            completionWindow: self.window,
            outputFileID: "file-2",
            errorFileID: "file-3",
            createdAt: 1,
            metadata: [:],
            outputLifetimeSeconds: nil
        )
        batch.epoch = epoch
        batch.segments = segments
        return batch
    }

    private func record(_ line: UInt32, epoch: UInt32, _ body: String = "{}") -> [UInt8] {
        var bytes: [UInt8] = []
        ResultRecord(
            line: line,
            epoch: epoch,
            attempts: 1,
            status: 200,
            outcome: .success,
            usage: TokenUsage(totalTokens: 1),
            requestID: [],
            body: Array(body.utf8)
        ).append(to: &bytes)
        return bytes
    }

    private func recover(_ batch: BatchRecord, lines: Int = 10) throws -> (ResultLogRecovery, LocationIndex) {
        let index = try LocationIndex(path: self.directory.path + "/index", lines: lines)
        return (try ResultLogRecovery(directory: self.directory.path, record: batch, lines: lines, index: index), index)
    }

    @Test func recordsAreFoundAgainOverEpochs() throws {
        let first = try ResultLog(directory: self.directory.path, accepted: [], epoch: 1)
        try first.append(self.record(3, epoch: 1) + self.record(0, epoch: 1))
        let (recovered, _) = try self.recover(self.batch(epoch: 1))
        #expect(recovered.progress.completed == 2)
        let second = try ResultLog(directory: self.directory.path, accepted: recovered.segments, epoch: 2)
        try second.append(self.record(3, epoch: 2, "again") + self.record(9, epoch: 2))
        let (again, index) = try self.recover(self.batch(epoch: 2, segments: recovered.segments))
        #expect(again.progress.completed == 3)
        #expect(again.progress.usage.totalTokens == 3)
        // The first record of a line counts.
        #expect(index[3]?.segment == 0)
        #expect(index[9]?.segment == 1)
        #expect(index[1] == nil)
    }

    @Test("T-03 a torn tail is dropped wherever it is cut, and what comes before stays")
    func tornTailIsDropped() throws {
        let log = try ResultLog(directory: self.directory.path, accepted: [], epoch: 1)
        try log.append(self.record(0, epoch: 1))
        let whole = Int64(SegmentHeader.bytes + self.record(0, epoch: 1).count)
        let next = self.record(1, epoch: 1)
        let file = try PosixFile(self.directory.path + "/1.log", .readWrite)
        for cut in 0..<next.count {
            try file.truncate(to: whole)
            try file.write(Array(next[..<cut]), at: whole)
            let (recovered, _) = try self.recover(self.batch(epoch: 1))
            #expect(recovered.progress.completed == 1)
            #expect(recovered.segments == [SegmentReference(epoch: 1, bytes: whole)])
        }
    }

    @Test("T-04 damage in what was accepted is named and never served")
    func damageIsNamed() throws {
        let log = try ResultLog(directory: self.directory.path, accepted: [], epoch: 1)
        try log.append(self.record(0, epoch: 1) + self.record(1, epoch: 1))
        let accepted = try self.recover(self.batch(epoch: 1)).0.segments
        let file = try PosixFile(self.directory.path + "/1.log", .readWrite)
        try file.write([0x55], at: Int64(SegmentHeader.bytes) + 20)
        #expect(throws: StoreError.unreadable("batch_1/1.log is damaged at byte \(SegmentHeader.bytes)")) {
            _ = try self.recover(self.batch(epoch: 2, segments: accepted))
        }
    }

    @Test("I-08 bytes behind the accepted length and segments of no manifest do not exist")
    func unacceptedBytesDoNotExist() throws {
        let log = try ResultLog(directory: self.directory.path, accepted: [], epoch: 1)
        try log.append(self.record(0, epoch: 1))
        let accepted = try self.recover(self.batch(epoch: 1)).0.segments
        try log.append(self.record(1, epoch: 1))
        let (recovered, _) = try self.recover(self.batch(epoch: 2, segments: accepted))
        #expect(recovered.progress.completed == 1)
    }

    @Test func aRecordLargerThanTheReadWindowIsFound() throws {
        let log = try ResultLog(directory: self.directory.path, accepted: [], epoch: 1)
        try log.append(self.record(0, epoch: 1, String(repeating: "x", count: 3 << 20)) + self.record(1, epoch: 1))
        #expect(try self.recover(self.batch(epoch: 1)).0.progress.completed == 2)
    }
}

struct LocalBlobStoreTests {
    @Test func aBlobIsInvisibleUntilItIsCommitted() throws {
        let directory = try TemporaryDirectory()
        let store = try LocalBlobStore(directory: directory.path)
        let staged = try store.stage("upload_1")
        try Array("hello".utf8).withUnsafeBytes { try staged.write($0, at: 0) }
        #expect(throws: FileError.self) { _ = try store.open("file-0ab") }
        try staged.commit(as: "file-0ab")
        let reader = try store.open("file-0ab")
        #expect(reader.bytes == 5)
        #expect(try reader.read(count: 10, at: 1) == Array("ello".utf8))
        try store.remove("file-0ab")
        try store.remove("file-0ab")
        #expect(throws: FileError.self) { _ = try store.open("file-0ab") }
    }

    @Test("T-33 what a crash left in staging is gone after the next start")
    func stagingIsCleared() throws {
        let directory = try TemporaryDirectory()
        _ = try LocalBlobStore(directory: directory.path).stage("upload_1")
        let again = try LocalBlobStore(directory: directory.path)
        _ = try again.stage("upload_1")
    }
}
