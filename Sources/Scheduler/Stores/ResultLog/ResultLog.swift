public import SchedulerCore

/// The result log of one job: append-only segments `<epoch>.log` in the job's directory, one of them open for writing.
///
/// Blocking; one caller at a time (the job's committer).
public final class ResultLog: @unchecked Sendable {
    // Guard: `end` is used by the job's committer only; everything else is constant.

    /// All segments, oldest first; the last one is being written.
    public let segments: [any OpenFile]
    /// How its records are written.
    public let format: SegmentFormat
    /// The formats of all segments.
    public let formats: [SegmentFormat]
    private var end: Int64

    /// Opens the accepted segments and begins the one of `epoch`.
    public init(
        directory: String,
        job: String,
        accepted: [SegmentReference],
        epoch: UInt32,
        files: any FileSystem
    ) throws {
        var segments: [any OpenFile] = []
        var formats: [SegmentFormat] = []
        for segment in accepted {
            let file = try files.open(Self.path(directory, segment.epoch), .read)
            segments.append(file)
            formats.append(try Self.format(of: file, job: job, epoch: segment.epoch).format)
        }
        let path = Self.path(directory, epoch)
        // A segment of an epoch that was never recorded does not count.
        try files.remove(path)
        let file = try files.open(path, .create)
        self.format = SegmentFormat(job: job, epoch: epoch)
        let header = self.format.header
        try file.write(header, at: 0)
        try file.syncData()
        try files.syncDirectory(of: path)
        self.segments = segments + [file]
        self.formats = formats + [self.format]
        self.end = Int64(header.count)
    }

    /// Where the next record goes.
    public var nextLocation: (segment: Int, offset: Int64) { (self.segments.count - 1, self.end) }

    /// Appends encoded records and makes them durable: the commit point of their lines.
    ///
    /// After an error the log is as it was: what was written in part is overwritten by the next append.
    public func append(_ records: [UInt8]) throws(FileError) {
        guard let file = self.segments.last else { return }
        try file.write(records, at: self.end)
        try file.syncData()
        self.end += Int64(records.count)
    }

    /// The format of a stored segment; a damaged header counts as one of the version that is written.
    static func format(
        of file: any OpenFile,
        job: String,
        epoch: UInt32
    ) throws -> (format: SegmentFormat, isDamaged: Bool) {
        do {
            let format = try file.read(count: SegmentFormat.maximumHeaderBytes, at: 0).withUnsafeBytes {
                try SegmentFormat.read($0, job: job, epoch: epoch)
            }
            return (format, false)
        } catch SegmentFormat.Problem.damaged {
            return (SegmentFormat(job: job, epoch: epoch), true)
        } catch SegmentFormat.Problem.unknownVersion(let version) {
            throw StoreError.unreadable(
                "\(file.path) has segment format \(version); this version reads up to \(SegmentFormat.version)"
            )
        }
    }

    static func path(_ directory: String, _ epoch: UInt32) -> String {
        "\(directory)/\(epoch).log"
    }
}
