import Checksum
import Foundation
import SchedulerCore
import SchedulerStores
import StoresTestSupport
import Synchronization
import TestSupport
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
        ).append(to: &bytes, SegmentFormat(job: "batch_1", epoch: epoch))
        return bytes
    }

    private func log(_ accepted: [SegmentReference] = [], epoch: UInt32 = 1) throws -> ResultLog {
        try ResultLog(
            directory: self.directory.path,
            job: "batch_1",
            accepted: accepted,
            epoch: epoch,
            files: LocalFileSystem()
        )
    }

    private func recover(_ batch: BatchRecord, lines: Int = 10) throws -> (ResultLogRecovery, LocationIndex) {
        let files = LocalFileSystem()
        let index = try LocationIndex(path: self.directory.path + "/index", lines: lines, files: files)
        let recovery = try ResultLogRecovery(
            directory: self.directory.path,
            record: batch,
            lines: lines,
            index: index,
            files: files
        )
        return (recovery, index)
    }

    @Test func recordsAreFoundAgainOverEpochs() throws {
        let first = try self.log()
        try first.append(self.record(3, epoch: 1) + self.record(0, epoch: 1))
        let (recovered, _) = try self.recover(self.batch(epoch: 1))
        #expect(recovered.progress.completed == 2)
        let second = try self.log(recovered.segments, epoch: 2)
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
        let log = try self.log()
        try log.append(self.record(0, epoch: 1))
        let whole = Int64(SegmentFormat.maximumHeaderBytes + self.record(0, epoch: 1).count)
        let next = self.record(1, epoch: 1)
        let file = try PosixFile(self.directory.path + "/1.log", .readWrite)
        for cut in 0..<next.count {
            #expect(truncate(file.path, off_t(whole)) == 0)
            try file.write(Array(next[..<cut]), at: whole)
            let (recovered, _) = try self.recover(self.batch(epoch: 1))
            #expect(recovered.progress.completed == 1)
            #expect(recovered.segments == [SegmentReference(epoch: 1, bytes: whole)])
        }
    }

    @Test("T-04 one flipped bit costs the record that it hit, and is named", arguments: [false, true])
    func damageIsNamed(isAccepted: Bool) throws {
        let log = try self.log()
        let records = (0..<3).map { self.record(UInt32($0), epoch: 1) }
        try log.append(Array(records.joined()))
        let accepted = try self.recover(self.batch(epoch: 1)).0.segments
        let whole = try Data(contentsOf: URL(filePath: log.segments[0].path))
        let file = try PosixFile(log.segments[0].path, .readWrite)
        let start = SegmentFormat.maximumHeaderBytes + records[0].count
        for bit in 0..<(records[1].count * 8) {
            var damaged = whole
            damaged[start + bit / 8] ^= 1 << (bit % 8)
            try file.write(Array(damaged), at: 0)
            let batch = isAccepted ? self.batch(epoch: 2, segments: accepted) : self.batch(epoch: 1)
            let (recovered, index) = try self.recover(batch)
            #expect(recovered.progress.completed == 2)
            #expect(index[1] == nil)
            let expected = ResultLogRecovery.Damage(
                path: file.path,
                bytes: Int64(start)..<Int64(start + records[1].count)
            )
            #expect(recovered.damage == [expected])
            #expect(recovered.segments == accepted)
        }
    }

    @Test("T-04 a damaged header costs no record and is named")
    func damagedHeader() throws {
        let log = try self.log()
        try log.append(self.record(0, epoch: 1))
        let file = try PosixFile(log.segments[0].path, .readWrite)
        for byte in [0, 4, 8, 12] as [Int64] {
            let before = try file.read(count: 1, at: byte)
            try file.write([before[0] ^ 8], at: byte)
            let recovery = try self.recover(self.batch(epoch: 1)).0
            #expect(recovery.progress.completed == 1)
            #expect(recovery.damage == [ResultLogRecovery.Damage(path: file.path, bytes: 0..<16)])
            try file.write(before, at: byte)
        }
    }

    @Test("T-10 a segment of a newer version is refused by number")
    func newerVersion() throws {
        let log = try self.log()
        let file = try PosixFile(log.segments[0].path, .readWrite)
        try file.write(SegmentFormat(job: "batch_1", epoch: 1).header(version: 9), at: 0)
        #expect(throws: StoreError.unreadable("\(file.path) has segment format 9; this version reads up to 2")) {
            _ = try self.recover(self.batch(epoch: 1))
        }
    }

    @Test("T-10 a segment of version 1 is read")
    func olderVersion() throws {
        // As version 1 wrote them: 12 bytes of header, checksums over the records alone.
        let header: [UInt8] = Array("BFRL".utf8) + [1, 0, 0, 0, 1, 0, 0, 0]
        var record = self.record(4, epoch: 1)
        let checksum = record[8...].withUnsafeBytes(CRC32C.checksum)
        record.replaceSubrange(4..<8, with: withUnsafeBytes(of: checksum.littleEndian, Array.init))
        try Data(header + record).write(to: URL(filePath: self.directory.path + "/1.log"))
        let (recovered, index) = try self.recover(self.batch(epoch: 1))
        #expect(recovered.progress.isDone(4))
        #expect(index[4]?.offset == 12)
        let next = try self.log(recovered.segments, epoch: 2)
        #expect(next.formats[0].headerBytes == 12)
    }

    @Test("T-04 bytes of another job or epoch do not pass for records")
    func foreignRecordsDoNotPass() throws {
        let log = try self.log()
        var foreign: [UInt8] = []
        ResultRecord(
            line: 0,
            epoch: 1,
            attempts: 1,
            status: 200,
            outcome: .success,
            usage: TokenUsage(),
            requestID: [],
            body: Array("{}".utf8)
        ).append(to: &foreign, SegmentFormat(job: "batch_2", epoch: 1))
        try log.append(foreign + self.record(1, epoch: 2) + self.record(2, epoch: 1))
        let recovered = try self.recover(self.batch(epoch: 1)).0
        #expect(recovered.progress.completed == 1)
        #expect(recovered.progress.isDone(2))
    }

    @Test("I-08 bytes behind the accepted length and segments of no manifest do not exist")
    func unacceptedBytesDoNotExist() throws {
        let log = try self.log()
        try log.append(self.record(0, epoch: 1))
        let accepted = try self.recover(self.batch(epoch: 1)).0.segments
        try log.append(self.record(1, epoch: 1))
        let (recovered, _) = try self.recover(self.batch(epoch: 2, segments: accepted))
        #expect(recovered.progress.completed == 1)
    }

    @Test("T-02 what a killed owner wrote is synced before it counts; what was accepted before is not synced again")
    func recoveredRecordsAreSynced() throws {
        let log = try self.log()
        try log.append(self.record(1, epoch: 1))
        let synced = Mutex<[String]>([])
        let files = ObservedFileSystem { operation, path in
            if operation == .syncData { synced.withLock { $0.append(path) } }
        }
        let batch = self.batch(epoch: 1)
        let path = self.directory.path + "/index"
        let index = try LocationIndex(path: path, lines: 10, files: LocalFileSystem())
        let recovery = try ResultLogRecovery(
            directory: self.directory.path,
            record: batch,
            lines: 10,
            index: index,
            files: files
        )
        #expect(recovery.progress.completed == 1 && synced.withLock { $0 } == [self.directory.path + "/1.log"])
        _ = try ResultLogRecovery(
            directory: self.directory.path,
            record: self.batch(epoch: 2, segments: recovery.segments),
            lines: 10,
            index: index,
            files: files
        )
        #expect(synced.withLock { $0 } == [self.directory.path + "/1.log"])
    }

    @Test func aRecordLargerThanTheReadWindowIsFound() throws {
        let log = try self.log()
        try log.append(self.record(0, epoch: 1, String(repeating: "x", count: 3 << 20)) + self.record(1, epoch: 1))
        #expect(try self.recover(self.batch(epoch: 1)).0.progress.completed == 2)
    }
}

struct LocalBlobStoreTests {
    @Test func aBlobIsInvisibleUntilItIsCommitted() throws {
        let directory = try TemporaryDirectory()
        let store = try LocalBlobStore(directory: directory.path, instance: "a", files: LocalFileSystem())
        let staged = try store.stage("upload_1")
        try Array("hello".utf8).withUnsafeBytes { try staged.write($0, at: 0) }
        #expect(throws: FileError.self) { _ = try store.open("file-0ab") }
        try staged.commit(as: "file-0ab")
        let reader = try store.open("file-0ab")
        #expect(reader.bytes == 5)
        #expect(try reader.read(count: 10, at: 1) == Array("ello".utf8))
        #expect(try store.shards() == ["ab"])
        #expect(try store.keys(in: "ab") == ["file-0ab"])
        try store.remove("file-0ab")
        try store.remove("file-0ab")
        #expect(throws: FileError.self) { _ = try store.open("file-0ab") }
    }

    @Test("T-33 what a scheduler staged can be dropped without touching what another one stages")
    func stagingIsKeptApart() throws {
        let directory = try TemporaryDirectory()
        let files = LocalFileSystem()
        let dead = try LocalBlobStore(directory: directory.path, instance: "dead", files: files)
        _ = try dead.stage("upload_1")
        let alive = try LocalBlobStore(directory: directory.path, instance: "alive", files: files)
        let staged = try alive.stage("upload_1")
        #expect(try alive.stagingInstances().sorted() == ["alive", "dead"])
        try alive.dropStaging(of: "dead")
        #expect(try alive.stagingInstances() == ["alive"])
        try staged.commit(as: "file-0ab")
        // A scheduler that was taken for dead goes on.
        _ = try dead.stage("upload_2")
    }
}
