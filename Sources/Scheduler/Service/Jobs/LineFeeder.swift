import SchedulerCore

/// Reads a job's lines ahead of the engines, never more than a page or two, and queues them.
struct LineFeeder: Sendable {
    let job: RunningJob
    let reader: PlanReader
    /// The file's models; a plan entry names one by index.
    let models: [String]
    /// What was done when the job was taken up.
    let done: LineProgress
    let dispatcher: Dispatcher
    let threads: any BlockingThreads

    /// Queues all lines that are not done yet; returns early when the job ends.
    func run() async throws {
        var demand = self.job.demand.makeAsyncIterator()
        // Lines that are done at the start are not read: a batch that is taken up half way goes on at once.
        var next = self.done.firstOpenLine(from: 0)
        while next < self.reader.lines, !self.job.isEnding {
            while self.job.hasEnoughQueued {
                guard await demand.next() != nil else { return }
            }
            let first = next
            let page = try await self.threads.run { try self.load(from: first) }
            for (model, lines) in page.lines where !lines.isEmpty {
                self.dispatcher.offer(lines, of: self.job, model: model)
            }
            next = self.done.firstOpenLine(from: page.next)
        }
    }

    private func load(from first: Int) throws -> (lines: [String: [LineRequest]], next: Int) {
        guard let page = try self.reader.page(from: first) else { return ([:], self.reader.lines) }
        var lines: [String: [LineRequest]] = [:]
        try page.forEachLine { number, entry, bytes in
            guard !self.done.isDone(number), Int(entry.model) < self.models.count else { return }
            let model = self.models[Int(entry.model)]
            guard let body = try? BatchLine.locate(bytes).body else {
                throw UnreadableInput("line \(number + 1) is not what it was")
            }
            lines[model, default: []].append(
                LineRequest(job: self.job, line: number, model: model, body: Array(bytes[body]))
            )
        }
        return (lines, first + page.entries.count)
    }
}
