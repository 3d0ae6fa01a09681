import SchedulerCore
import SchedulerStores

/// Finds the lines of a good file that do not fit a batch: another url than its endpoint (A3-04), or a model that no
/// engine serves.
struct LineCheck: Sendable {
    private static let pageEntries = 4_096

    let endpoint: String
    let findings: InputFileFindings
    let absentModels: Set<String>

    /// Reads the plan. Blocking.
    func run(_ plan: any BlobReader) throws -> ([InputProblem], omitted: Int) {
        var problems: [InputProblem] = []
        var omitted = 0
        var line = 0
        while line < self.findings.lines {
            let count = min(Self.pageEntries, self.findings.lines - line)
            let offset = Int64(PlanHeader.encodedBytes + line * PlanEntry.encodedBytes)
            let bytes = try plan.read(count: count * PlanEntry.encodedBytes, at: offset)
            guard bytes.count == count * PlanEntry.encodedBytes else {
                throw StoreError.unreadable("the plan is too short")
            }
            for index in 0..<count {
                let start = index * PlanEntry.encodedBytes
                let entry = try bytes[start..<(start + PlanEntry.encodedBytes)].withUnsafeBytes { try PlanEntry($0) }
                guard let problem = self.problem(entry, request: line + index + 1) else { continue }
                if problems.count < InputFileFindings.maximumProblems {
                    problems.append(problem)
                } else {
                    omitted += 1
                }
            }
            line += count
        }
        return (problems, omitted)
    }

    private func problem(_ entry: PlanEntry, request: Int) -> InputProblem? {
        let url = self.findings.urls.indices.contains(Int(entry.url)) ? self.findings.urls[Int(entry.url)] : ""
        guard url == self.endpoint else {
            return InputProblem(
                code: "url_mismatch",
                message: "The URL '\(url)' of this request is not the batch's endpoint '\(self.endpoint)'.",
                param: "url",
                line: request
            )
        }
        let models = self.findings.models
        let model = models.indices.contains(Int(entry.model)) ? models[Int(entry.model)] : ""
        guard !self.absentModels.contains(model) else {
            return InputProblem(
                code: "model_not_found",
                message: "No engine serves the model '\(model)'.",
                param: "body.model",
                line: request
            )
        }
        return nil
    }
}
