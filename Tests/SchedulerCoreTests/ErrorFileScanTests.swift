import SchedulerCore
import TestSupport
import Testing

struct ErrorFileScanTests {
    static let batchID = "batch_" + String(repeating: "0a", count: 16)

    private static func line(_ number: Int, _ error: String = "x") -> [UInt8] {
        var bytes: [UInt8] = []
        let error = LineError(code: "c", message: error).json
        Array("id \(number)".utf8).withUnsafeBytes { customID in
            error.withUnsafeBytes {
                OutputLine.failed(
                    id: ObjectID.request(batchID: Self.batchID, line: number),
                    customID: customID,
                    error: $0,
                    into: &bytes
                )
            }
        }
        return bytes
    }

    @Test("the lines are found however the file is cut", arguments: [1, 2, 7, 56, 57, 58, 59, 1_000])
    func linesAreFound(_ piece: Int) {
        let file = [0, 3, 255, 256, 4_999].flatMap { Self.line($0, String(repeating: "y", count: $0 % 100)) }
        var scan = ErrorFileScan(total: 5_000)
        for start in stride(from: 0, to: file.count, by: piece) {
            Array(file[start..<min(start + piece, file.count)]).withUnsafeBytes { scan.consume($0) }
        }
        scan.finish()
        #expect((0..<5_000).filter { scan.lines.contains($0) } == [0, 3, 255, 256, 4_999])
        #expect(scan.lines.count == 5)
    }

    @Test(
        "what is no line of the batch is passed over",
        arguments: ["", "\n\n", "{\"id\":\"batch_req_1\"}\n", String(repeating: "z", count: 200) + "\n"]
    )
    func othersArePassedOver(_ text: String) {
        var scan = ErrorFileScan(total: 10)
        (Array(text.utf8) + Self.line(7) + Self.line(10)).withUnsafeBytes { scan.consume($0) }
        scan.finish()
        #expect((0..<20).filter { scan.lines.contains($0) } == [7])
    }
}

struct LineSetTests {
    @Test("first and first missing are what a look at each line says", arguments: [0, 1, 63, 64, 65, 130])
    func firstIsRight(total: Int) {
        for seed in 0..<20 as Range<UInt64> {
            var numbers = SeededGenerator(seed: seed)
            var set = LineSet(total: total)
            for line in 0..<total where UInt64.random(in: 0..<20, using: &numbers) < seed { set.insert(line) }
            for line in -1...(total + 70) {
                let from = max(line, 0)..<max(total, line, 0)
                let there = from.first { set.contains($0) } ?? total
                let missing = from.first { !set.contains($0) && $0 < total } ?? total
                #expect(set.first(from: line) == there && set.firstMissing(from: line) == missing, "seed \(seed)")
            }
        }
    }
}
