public import SchedulerCore

/// Reads a job's result log back, in one pass over its segments.
///
/// Records behind damage are found again by their checksums, so that damage costs the lines it hit and no others.
public struct ResultLogRecovery: Sendable {
    /// Which lines are done.
    public private(set) var progress: LineProgress
    /// The segments found, with the bytes of each that count; the manifest of the next epoch.
    public private(set) var segments: [SegmentReference] = []
    /// What could not be read although something readable follows it, or an earlier claim had accepted it.
    public private(set) var damage: [Damage] = []

    /// A part of a segment that holds no readable record.
    public struct Damage: Sendable, Equatable {
        /// The file.
        public var path: String
        /// The bytes.
        public var bytes: Range<Int64>

        /// Makes a finding.
        public init(path: String, bytes: Range<Int64>) {
            self.path = path
            self.bytes = bytes
        }
    }

    private let files: any FileSystem
    private let directory: String
    private let job: String

    /// Reads all records of a job's directory.
    ///
    /// Segments of the last claim's manifest count up to their accepted length; the segment that the last owner wrote
    /// counts up to its last good record, behind which a crash may have left an incomplete one.
    /// - Parameters:
    ///   - record: the batch as stored, before it is claimed again.
    ///   - index: filled with the location of every record.
    public init(
        directory: String,
        record: BatchRecord,
        lines: Int,
        index: LocationIndex,
        files: any FileSystem
    ) throws {
        self.progress = LineProgress(total: lines)
        self.files = files
        self.directory = directory
        self.job = record.id
        for segment in record.segments {
            try self.read(segment.epoch, upTo: segment.bytes, index)
        }
        guard record.epoch > 0, !record.segments.contains(where: { $0.epoch == record.epoch }) else { return }
        try self.read(record.epoch, upTo: nil, index)
    }

    private func openIfPresent(_ path: String) throws(FileError) -> (any OpenFile)? {
        do throws(FileError) {
            return try self.files.open(path, .read)
        } catch {
            guard error.isMissing else { throw error }
            return nil
        }
    }

    /// Reads one segment; `accepted` is the length that an earlier claim found good.
    private mutating func read(_ epoch: UInt32, upTo accepted: Int64?, _ index: LocationIndex) throws {
        let path = ResultLog.path(self.directory, epoch)
        guard let file = try self.openIfPresent(path) else {
            // The last owner ended before it made its segment; an accepted one must not be missing.
            if let accepted { self.damage.append(Damage(path: path, bytes: 0..<accepted)) }
            return
        }
        let size = try file.size()
        let (format, hasDamagedHeader) = try ResultLog.format(of: file, job: self.job, epoch: epoch)
        // Without a record it is the header of a segment that was not finished.
        if hasDamagedHeader, size > format.headerBytes {
            self.damage.append(Damage(path: path, bytes: 0..<Int64(format.headerBytes)))
        }
        var scan = SegmentScan(
            file: file,
            format: format,
            end: min(accepted ?? size, size)
        )
        let segment = self.segments.count
        try scan.run { record, offset in
            let line = Int(record.line)
            guard self.progress.record(line: line, succeeded: record.outcome == .success, usage: record.usage) else {
                return
            }
            index[line] = LocationIndex.Location(segment: segment, offset: offset, length: record.encodedBytes)
        }
        // An owner that was killed may have written this without syncing it; whoever counts it promises that it stays.
        if accepted == nil { try file.syncData() }
        self.damage += scan.damage
        if let accepted, scan.goodEnd < accepted {
            self.damage.append(Damage(path: path, bytes: scan.goodEnd..<accepted))
        }
        self.segments.append(SegmentReference(epoch: epoch, bytes: accepted ?? scan.goodEnd))
    }
}

/// One pass over a segment that steps over damage.
private struct SegmentScan {
    private static let windowBytes = 1 << 20

    let file: any OpenFile
    let format: SegmentFormat
    private(set) var end: Int64
    /// End of the last good record.
    private(set) var goodEnd: Int64
    private(set) var damage: [ResultLogRecovery.Damage] = []

    init(file: any OpenFile, format: SegmentFormat, end: Int64) {
        self.file = file
        self.format = format
        self.end = end
        self.goodEnd = Int64(format.headerBytes)
    }

    /// Gives every good record and where it starts.
    mutating func run(_ body: (ResultRecordView, Int64) -> Void) throws {
        var position = self.goodEnd
        var wanted = Self.windowBytes
        while position < self.end {
            let count = min(wanted, Int(self.end - position))
            let window = try self.file.read(count: count, at: position)
            if window.count < count { self.end = position + Int64(window.count) }
            let step = self.take(window, at: position, body)
            position += Int64(step.used)
            wanted = max(Self.windowBytes, step.wanted)
        }
    }

    /// Takes what a window holds; gives the bytes that need not be read again, and how many the next record needs.
    private mutating func take(
        _ window: [UInt8],
        at position: Int64,
        _ body: (ResultRecordView, Int64) -> Void
    ) -> (used: Int, wanted: Int) {
        window.withUnsafeBytes { bytes in
            var offset = 0
            while offset < bytes.count {
                do throws(ResultRecordView.Problem) {
                    let record = try ResultRecordView(bytes, at: offset, self.format)
                    let start = position + Int64(offset)
                    if start > self.goodEnd {
                        self.damage.append(.init(path: self.file.path, bytes: self.goodEnd..<start))
                    }
                    body(record, start)
                    offset += record.encodedBytes
                    self.goodEnd = position + Int64(offset)
                } catch {
                    let isEndOfFile = position + Int64(bytes.count) == self.end
                    if case .incomplete(let needed) = error, !isEndOfFile,
                        position + Int64(offset) + Int64(needed) <= self.end
                    {
                        return (offset, needed)
                    }
                    offset += 1
                }
            }
            return (offset, 0)
        }
    }
}
