public import SchedulerCore

/// Reads a job's result log back after a restart.
public struct ResultLogRecovery: Sendable {
    /// Which lines are done.
    public var progress: LineProgress
    /// The segments found, with the bytes of each that count; the manifest of the next epoch.
    public var segments: [SegmentReference] = []

    private static let windowBytes = 1 << 20

    /// Reads all records of a job's directory.
    ///
    /// Segments of the last claim's manifest count up to their accepted length; the segment that the last owner wrote
    /// counts up to its first incomplete or damaged record, which a crash may have left at its end.
    /// - Parameters:
    ///   - record: the batch as stored, before it is claimed again.
    ///   - index: filled with the location of every record.
    public init(directory: String, record: BatchRecord, lines: Int, index: LocationIndex) throws {
        self.progress = LineProgress(total: lines)
        for segment in record.segments {
            let end = try self.read(directory, segment.epoch, upTo: segment.bytes, index)
            guard end == segment.bytes else {
                throw StoreError.unreadable("\(record.id)/\(segment.epoch).log is damaged at byte \(end)")
            }
        }
        guard record.epoch > 0 else { return }
        do {
            _ = try self.read(directory, record.epoch, upTo: nil, index)
        } catch let error as FileError where error.isMissing {
            // The last owner ended before it made its segment.
        }
    }

    /// Reads one segment and gives the end of its last good record.
    private mutating func read(
        _ directory: String,
        _ epoch: UInt32,
        upTo limit: Int64?,
        _ index: LocationIndex
    ) throws -> Int64 {
        let file = try PosixFile(ResultLog.path(directory, epoch), .read)
        let size = try file.size()
        let end = min(limit ?? size, size)
        guard end >= Int64(SegmentHeader.bytes) else { return 0 }
        do {
            try file.read(count: SegmentHeader.bytes, at: 0).withUnsafeBytes { _ = try SegmentHeader($0) }
        } catch let problem as SegmentHeader.Problem {
            throw StoreError.unreadable("\(file.path): \(problem)")
        }
        let good = try self.readRecords(file, from: Int64(SegmentHeader.bytes), to: end, index)
        self.segments.append(SegmentReference(epoch: epoch, bytes: good))
        return good
    }

    private mutating func readRecords(
        _ file: PosixFile,
        from start: Int64,
        to end: Int64,
        _ index: LocationIndex
    ) throws -> Int64 {
        var position = start
        var windowBytes = Self.windowBytes
        while position < end {
            let window = try file.read(count: min(windowBytes, Int(end - position)), at: position)
            let used = self.take(window, at: position, index)
            position += Int64(used)
            if used > 0 {
                windowBytes = Self.windowBytes
            } else if windowBytes < ResultRecord.maximumBytes, Int64(window.count) < end - position {
                // A record larger than the window.
                windowBytes *= 2
            } else {
                break
            }
        }
        return position
    }

    /// Takes the whole records at the start of `window`; gives their bytes.
    private mutating func take(_ window: [UInt8], at position: Int64, _ index: LocationIndex) -> Int {
        window.withUnsafeBytes { bytes in
            var offset = 0
            while let view = try? ResultRecordView(bytes, at: offset) {
                let line = Int(view.line)
                if self.progress.record(line: line, succeeded: view.outcome == .success, usage: view.usage) {
                    index[line] = LocationIndex.Location(
                        segment: self.segments.count,
                        offset: position + Int64(offset),
                        length: view.encodedBytes
                    )
                }
                offset += view.encodedBytes
            }
            return offset
        }
    }
}
