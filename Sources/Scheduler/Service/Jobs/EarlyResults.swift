import SchedulerCore
import SchedulerStores

/// The lines of a running batch's output and error files that are there already, in input order. Blocking.
struct EarlyResults: Sendable {
    let batchID: String
    let reader: PlanReader
    let log: ResultLog
    let committer: JobCommitter

    /// A place in the results: a line, and bytes of it that were read before.
    struct Position: Sendable, Equatable {
        var line: Int
        var offset: Int
    }

    /// Reads at most `maximumBytes` from a position on: whole lines, or a part of one that is longer than that.
    ///
    /// What is read twice from one position on may have more lines the second time, never others.
    func read(from position: Position, maximumBytes: Int) throws -> (bytes: [UInt8], next: Position, isEnd: Bool) {
        var bytes: [UInt8] = []
        var position = position
        let records = RecordWindow(log: self.log)
        var isFull = false
        while !isFull, bytes.count < maximumBytes {
            let committed = self.committer.committed(from: position.line, count: PlanReader.pageLines)
            if committed.line != position.line { position = Position(line: committed.line, offset: 0) }
            guard let page = try self.reader.page(from: position.line) else { break }
            try page.forEachLine { number, _, line in
                guard number == position.line, !isFull else { return }
                let index = number - committed.line
                if committed.locations.indices.contains(index), let location = committed.locations[index] {
                    let start = bytes.count
                    try self.append(number, line, at: location, records, to: &bytes)
                    bytes.removeSubrange(start..<min(start + position.offset, bytes.count))
                    guard bytes.count <= maximumBytes else {
                        // The batch may end before the next call: then a line that was begun would stay half a line.
                        let kept = start == 0 ? maximumBytes : start
                        position.offset += kept - start
                        bytes.removeLast(bytes.count - kept)
                        isFull = true
                        return
                    }
                }
                position = Position(line: number + 1, offset: 0)
            }
        }
        return (bytes, position, position.line >= self.reader.lines)
    }

    private func append(
        _ number: Int,
        _ line: UnsafeRawBufferPointer,
        at location: LocationIndex.Location,
        _ records: RecordWindow,
        to bytes: inout [UInt8]
    ) throws {
        guard let span = try? BatchLine.locate(line).customID else {
            throw UnreadableInput("line \(number + 1) is not what it was")
        }
        let id = ObjectID.request(batchID: self.batchID, line: number)
        try records.withRecord(of: number, at: location) { record, content in
            OutputLine.append(
                record,
                of: content,
                id: id,
                customID: UnsafeRawBufferPointer(rebasing: line[span]),
                into: &bytes
            )
        }
    }
}
