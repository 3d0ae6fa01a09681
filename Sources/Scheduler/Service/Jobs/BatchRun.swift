import CurlHTTP
import Logging
import NIOPosix
import SchedulerCore
import SchedulerStores

/// One batch from wherever it stands to its end: claim, validate, run the lines, assemble the output.
struct BatchRun: Sendable {
    let id: String
    let number: Int
    let environment: JobEnvironment
    let logger: Logger
    /// Called when the job takes requests about its progress.
    let onRunning: @Sendable (RunningJob, _ models: [String]) -> Void

    private var records: BatchRecords { BatchRecords(store: self.environment.store) }
    private var now: Int64 { self.environment.time.unixSeconds }

    /// Runs the batch and gives its terminal record.
    func toEnd() async throws -> BatchRecord {
        guard var batch = try await self.records.get(self.id) else {
            throw StoreError.unreadable("\(self.id) is not stored any more")
        }
        guard !batch.status.isTerminal else { return batch }
        if batch.status == .validating {
            batch = try await self.validate(batch)
        }
        // Cancelled or expired before any line could be sent: there is nothing to assemble.
        if !batch.status.isTerminal, batch.times.inProgressAt == nil {
            let nothing = AssembledOutput(counts: RequestCounts(), usage: TokenUsage())
            batch = try await self.records.apply(to: self.id) { $0.assembled(nothing, at: self.now) }.record
        }
        if !batch.status.isTerminal {
            batch = try await self.runLines(batch)
        }
        self.logger.notice(
            "batch ended",
            metadata: [
                "status": "\(batch.status.rawValue)", "completed": "\(batch.counts.completed)",
                "failed": "\(batch.counts.failed)",
            ]
        )
        return batch
    }

    // MARK: - Validation

    private func validate(_ batch: BatchRecord) async throws -> BatchRecord {
        if batch.times.expiresAt <= self.now {
            return try await self.records.apply(to: self.id) { $0.windowEnded(at: self.now) }.record
        }
        guard let file = try await self.environment.store.get(FileRecord.self, batch.inputFileID)?.object,
            let findings = file.input
        else {
            return try await self.fail([.missingInput(batch.inputFileID)], omitted: 0)
        }
        let (problems, omitted) = try await self.problems(of: batch, findings)
        guard problems.isEmpty else { return try await self.fail(problems, omitted: omitted) }
        return try await self.records.apply(to: self.id) {
            $0.validated(lines: findings.lines, models: findings.models, at: self.now)
        }.record
    }

    private func fail(_ problems: [InputProblem], omitted: Int) async throws -> BatchRecord {
        try await self.records.apply(to: self.id) {
            $0.failed(problems: problems, omitted: omitted, at: self.now)
        }.record
    }

    /// The file's own problems, or those that only show beside this batch's endpoint and engines.
    private func problems(
        of batch: BatchRecord,
        _ findings: InputFileFindings
    ) async throws -> ([InputProblem], omitted: Int) {
        guard findings.problems.isEmpty else { return (findings.problems, findings.problemsOmitted) }
        let absent = Set(self.environment.dispatcher.absentModels(findings.models))
        guard findings.urls != [batch.endpoint] || !absent.isEmpty else { return ([], 0) }
        let check = LineCheck(endpoint: batch.endpoint, findings: findings, absentModels: absent)
        return try await self.environment.threads.runIfActive {
            try check.run(
                plan: try self.environment.files.openPlan(of: batch.inputFileID),
                input: try self.environment.files.open(batch.inputFileID)
            )
        }
    }

    // MARK: - Lines

    private func runLines(_ stored: BatchRecord) async throws -> BatchRecord {
        let work = try await self.takeUp(stored)
        var batch = work.batch
        let job = work.job
        self.onRunning(job, batch.models)
        if batch.status == .inProgress {
            let end = try await self.untilEnd(work)
            batch = try await self.records.apply(to: self.id) { machine in
                switch end {
                case .complete: machine.allLinesDone(at: self.now)
                case .windowEnded: machine.windowEnded(at: self.now)
                case .cancelRequested: machine.cancelRequested(at: self.now)
                }
            }.record
        }
        let assembling = batch
        let assembled = try await self.environment.threads.runIfActive {
            try OutputAssembler(
                batch: assembling,
                reader: work.reader,
                log: work.log,
                index: work.index,
                blobs: self.environment.files.blobs
            ).run()
        }
        let files = try self.outputFiles(of: batch, assembled)
        batch = try await self.records.apply(to: self.id, alongside: files) {
            $0.assembled(assembled.result, at: self.now)
        }.record
        try await self.environment.threads.runIfActive {
            try FileNames.removeDirectory(self.environment.directory(of: self.id))
        }
        return batch
    }

    /// Everything a run of lines works with.
    private struct Work: Sendable {
        var batch: BatchRecord
        var job: RunningJob
        var reader: PlanReader
        var log: ResultLog
        var index: LocationIndex
        var done: LineProgress
    }

    /// Reads the log back, begins a new epoch, and opens the files.
    private func takeUp(_ batch: BatchRecord) async throws -> Work {
        let directory = self.environment.directory(of: self.id)
        let lines = batch.counts.total
        let (index, recovery) = try await self.environment.threads.runIfActive {
            try FileNames.makeDirectory(directory)
            let index = try LocationIndex(path: directory + "/index", lines: lines)
            return (
                index, try ResultLogRecovery(directory: directory, record: batch, lines: lines, index: index)
            )
        }
        let claimed = try await self.records.apply(to: self.id) { $0.claimed(segments: recovery.segments) }.record
        let (log, reader) = try await self.environment.threads.runIfActive {
            (
                try ResultLog(directory: directory, accepted: claimed.segments, epoch: claimed.epoch),
                PlanReader(
                    input: try self.environment.files.open(claimed.inputFileID),
                    plan: try self.environment.files.openPlan(of: claimed.inputFileID),
                    lines: lines
                )
            )
        }
        let dispatcher = self.environment.dispatcher
        let committer = JobCommitter(
            log: log,
            index: index,
            progress: recovery.progress,
            epoch: claimed.epoch,
            threads: self.environment.commitThreads
        ) { dispatcher.committed(bytes: $0) }
        let job = RunningJob(number: self.number, id: self.id, endpoint: claimed.endpoint, committer: committer)
        return Work(batch: claimed, job: job, reader: reader, log: log, index: index, done: recovery.progress)
    }

    /// Why the lines of a batch stopped running.
    private enum End: Sendable {
        case complete
        case cancelRequested
        case windowEnded
    }

    /// Feeds the engines until every line has a record or the batch is to end early.
    private func untilEnd(_ work: Work) async throws -> End {
        let job = work.job
        job.committer.whenEnded { result in
            switch result {
            case .success: job.send(.complete)
            case .failure(let error): job.send(.failed(error))
            }
        }
        // A cancellation that was stored before anybody could tell this job.
        if try await self.records.get(self.id)?.status == .cancelling { job.send(.cancelRequested) }
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await self.feed(work) }
            group.addTask { await self.watchWindow(of: work.batch, job) }
            var end: End?
            for await event in job.events {
                switch event {
                case .complete: end = .complete
                case .cancelRequested: end = .cancelRequested
                case .windowEnded: end = .windowEnded
                case .suspended: end = nil
                case .failed(let error):
                    await self.stop(job, &group)
                    throw error
                }
                break
            }
            await self.stop(job, &group)
            guard let end else { throw CancellationError() }
            return end
        }
    }

    /// Stops sending, gives the answers under way a moment, and makes durable what has come.
    private func stop(_ job: RunningJob, _ group: inout ThrowingTaskGroup<Void, any Error>) async {
        job.beginEnding()
        group.cancelAll()
        try? await group.waitForAll()
        self.environment.dispatcher.withdraw(job)
        await self.drain(job)
        self.environment.dispatcher.withdraw(job)
        if Task.isCancelled { job.committer.stop() }
        await job.committer.flush()
    }

    private func drain(_ job: RunningJob) async {
        guard !job.isDrained else { return }
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                try? await Task.sleep(for: self.environment.drainGrace)
                job.transfers.cancel()
            }
            for await _ in job.drained where job.isDrained { break }
            group.cancelAll()
        }
        job.transfers.cancel()
    }

    private func feed(_ work: Work) async {
        let feeder = LineFeeder(
            job: work.job,
            reader: work.reader,
            models: work.batch.models,
            done: work.done,
            dispatcher: self.environment.dispatcher,
            threads: self.environment.threads
        )
        do {
            try await feeder.run()
        } catch {
            work.job.send(.failed(error))
        }
    }

    /// Ends the batch at its time. The wall clock may be set, so it is read again now and then.
    private func watchWindow(of batch: BatchRecord, _ job: RunningJob) async {
        while !Task.isCancelled {
            let left = batch.times.expiresAt - self.now
            guard left > 0 else {
                job.send(.windowEnded)
                return
            }
            try? await Task.sleep(for: .seconds(min(left, 10)))
        }
    }

    // MARK: - Output

    private func outputFiles(
        of batch: BatchRecord,
        _ assembled: (result: AssembledOutput, outputBytes: Int64, errorBytes: Int64)
    ) throws -> [RecordChange] {
        let now = self.now
        let lifetime = batch.outputLifetimeSeconds ?? FilePurpose.batchOutput.defaultLifetimeSeconds
        let files = [
            (batch.outputFileID, "output", assembled.outputBytes, assembled.result.counts.completed),
            (batch.errorFileID, "errors", assembled.errorBytes, assembled.result.counts.failed),
        ]
        return try files.filter { $0.3 > 0 }.map { id, name, bytes, _ in
            .insert(
                try StoredRecord(
                    FileRecord(
                        id: id,
                        tenant: batch.tenant,
                        bytes: bytes,
                        createdAt: now,
                        expiresAt: lifetime.map { now + $0 },
                        filename: "\(batch.id)_\(name).jsonl",
                        purpose: .batchOutput
                    )
                )
            )
        }
    }
}

extension InputProblem {
    fileprivate static func missingInput(_ id: String) -> InputProblem {
        InputProblem(code: "invalid_input_file", message: "The input file \(id) was deleted before it was read.")
    }
}
