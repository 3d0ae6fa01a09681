import SchedulerCore
import SchedulerStores

/// Reads records through a window, since neighbours in the input lie near each other in the log.
final class RecordWindow {
    private static let windowBytes: Int64 = 2 << 20

    private let log: ResultLog
    private var segment = -1
    private var start: Int64 = 0
    private var bytes: [UInt8] = []

    init(log: ResultLog) {
        self.log = log
    }

    func withRecord(
        of line: Int,
        at location: LocationIndex.Location,
        _ body: (ResultRecordView, UnsafeRawBufferPointer) throws -> Void
    ) throws {
        try self.load(location)
        let offset = Int(location.offset - self.start)
        try self.bytes.withUnsafeBytes { bytes in
            let record = try? ResultRecordView(bytes, at: offset, self.log.formats[location.segment])
            guard let record, Int(record.line) == line else {
                throw StoreError.unreadable(
                    "\(self.log.segments[location.segment].path) is damaged at byte \(location.offset)"
                )
            }
            try body(record, bytes)
        }
    }

    private func load(_ location: LocationIndex.Location) throws {
        let end = location.offset + Int64(location.length)
        if location.segment == self.segment, location.offset >= self.start,
            end <= self.start + Int64(self.bytes.count)
        {
            return
        }
        guard self.log.segments.indices.contains(location.segment) else {
            throw StoreError.unreadable("the location index names segment \(location.segment)")
        }
        self.segment = location.segment
        // Half a window back: the lines that come next may have been answered a little earlier.
        self.start = max(0, location.offset - Self.windowBytes / 2)
        let count = Int(max(Self.windowBytes, end - self.start))
        self.bytes = try self.log.segments[location.segment].read(count: count, at: self.start)
    }
}
