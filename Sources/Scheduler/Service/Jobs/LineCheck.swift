import SchedulerCore
import SchedulerStores

/// Finds the lines of a good file that do not fit a batch: another url than its endpoint (A3-04), or a model that no
/// engine serves.
struct LineCheck: Sendable {
    private static let pageEntries = 4_096

    let endpoint: String
    let findings: InputFileFindings
    let absentModels: Set<String>

    /// Reads the plan, and the file as far as problems must be named by their line. Blocking.
    func run(plan: any BlobReader, input: any BlobReader) throws -> ([InputProblem], omitted: Int) {
        var problems: [InputProblem] = []
        var numbers = LineNumbers(input)
        var omitted = 0
        var line = 0
        while line < self.findings.lines {
            let count = min(Self.pageEntries, self.findings.lines - line)
            let offset = Int64(PlanHeader.encodedBytes + line * PlanEntry.encodedBytes)
            let bytes = try plan.read(count: count * PlanEntry.encodedBytes, at: offset)
            guard bytes.count == count * PlanEntry.encodedBytes else {
                throw UnreadableInput("its plan is too short")
            }
            for index in 0..<count {
                let start = index * PlanEntry.encodedBytes
                let entry = try bytes[start..<(start + PlanEntry.encodedBytes)].withUnsafeBytes { try PlanEntry($0) }
                guard var problem = self.problem(entry) else { continue }
                if problems.count < InputFileFindings.maximumProblems {
                    problem.line = try numbers.line(at: Int64(entry.offset))
                    problems.append(problem)
                } else {
                    omitted += 1
                }
            }
            line += count
        }
        return (problems, omitted)
    }

    private func problem(_ entry: PlanEntry) -> InputProblem? {
        let url = self.findings.urls.indices.contains(Int(entry.url)) ? self.findings.urls[Int(entry.url)] : ""
        guard url == self.endpoint else {
            return InputProblem(
                code: "url_mismatch",
                message: "The URL '\(url)' of this request is not the batch's endpoint '\(self.endpoint)'.",
                param: "url"
            )
        }
        let models = self.findings.models
        let model = models.indices.contains(Int(entry.model)) ? models[Int(entry.model)] : ""
        guard !self.absentModels.contains(model) else {
            return InputProblem(
                code: "model_not_found",
                message: "No engine serves the model '\(model)'.",
                param: "body.model"
            )
        }
        return nil
    }
}

/// Numbers of lines by their position, asked for in rising order: a plan holds no blank lines, a line number does.
private struct LineNumbers {
    private static let windowBytes = 1 << 20

    private let input: any BlobReader
    private var position: Int64 = 0
    private var line = 1

    init(_ input: any BlobReader) {
        self.input = input
    }

    /// The 1-based number of the line that holds the byte at `offset`.
    mutating func line(at offset: Int64) throws -> Int {
        while self.position < offset {
            let count = min(Self.windowBytes, Int(offset - self.position))
            let bytes = try self.input.read(count: count, at: self.position)
            guard !bytes.isEmpty else { break }
            self.line += bytes.count { $0 == 0x0A }
            self.position += Int64(bytes.count)
        }
        return self.line
    }
}
