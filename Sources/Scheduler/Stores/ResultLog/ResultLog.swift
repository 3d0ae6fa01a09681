public import SchedulerCore

/// The result log of one job: append-only segments `<epoch>.log` in the job's directory, one of them open for writing.
///
/// Blocking; one caller at a time (the job's committer).
public final class ResultLog: @unchecked Sendable {
    // Guard: `end` is used by the job's committer only; everything else is constant.

    /// All segments, oldest first; the last one is being written.
    public let segments: [PosixFile]
    private let epoch: UInt32
    private var end: Int64

    /// Opens the accepted segments and begins the one of `epoch`.
    public init(directory: String, accepted: [SegmentReference], epoch: UInt32) throws(FileError) {
        var segments: [PosixFile] = []
        for segment in accepted {
            segments.append(try PosixFile(Self.path(directory, segment.epoch), .read))
        }
        let path = Self.path(directory, epoch)
        // A segment of an epoch that was never recorded does not count.
        try FileNames.remove(path)
        let file = try PosixFile(path, .create)
        let header = SegmentHeader(epoch: epoch).encoded
        try file.write(header, at: 0)
        try file.syncData()
        try FileNames.syncDirectory(of: path)
        self.segments = segments + [file]
        self.epoch = epoch
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

    static func path(_ directory: String, _ epoch: UInt32) -> String {
        "\(directory)/\(epoch).log"
    }
}
