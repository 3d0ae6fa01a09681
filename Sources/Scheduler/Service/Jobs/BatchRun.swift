import CurlHTTP
import Logging
import SchedulerCore
import SchedulerStores

/// One batch from wherever it stands to its end: validate, take up, run the lines, assemble the output. Its owner has
/// claimed it; every change it makes is refused once that lease has ended.
struct BatchRun: Sendable {
    let id: String
    let number: Int
    let owner: String
    let environment: JobEnvironment
    let logger: Logger
    /// Called when the job takes requests about its progress.
    let onRunning: @Sendable (RunningJob, _ models: [String]) -> Void

    private var records: BatchRecords {
        BatchRecords(store: self.environment.store, owner: self.owner)
    }
    private var threads: any BlockingThreads { self.environment.platform.threads }
    private var now: Int64 { self.environment.platform.time.unixSeconds }

    /// Runs the batch and gives its terminal record.
    func toEnd() async throws -> BatchRecord {
        do {
            return try await self.toEndOfReadableInput()
        } catch let error as UnreadableInput {
            return try await self.fail([.unreadableInput(error.reason)], omitted: 0)
        } catch let error as FileError {
            // Blobs are the only files that are checked by blocks, and the input and its plan the only ones read here.
            guard let damage = error.damage else { throw error }
            self.logger.error("the batch's input is damaged", metadata: ["error": "\(error)"])
            return try await self.fail([.unreadableInput("it \(damage)")], omitted: 0)
        } catch let problem as PlanProblem {
            // In a plan of an earlier version, which has no checksums that would have told.
            self.logger.error("the plan of the batch's input is damaged", metadata: ["error": "\(problem)"])
            return try await self.fail([.unreadableInput("its plan is damaged: \(problem)")], omitted: 0)
        }
    }

    private func toEndOfReadableInput() async throws -> BatchRecord {
        guard var batch = try await self.records.get(self.id) else {
            throw StoreError.gone(RecordKey(.batch, self.id))
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
        // No line is sent after the end of the window.
        if batch.status == .inProgress, batch.times.expiresAt <= self.now {
            batch = try await self.records.apply(to: self.id) { $0.windowEnded(at: self.now) }.record
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
        guard let findings = try await self.findings(of: batch) else {
            return try await self.fail([.missingInput(batch.inputFileID)], omitted: 0)
        }
        let (problems, omitted) = try await self.problems(of: batch, findings)
        guard problems.isEmpty else { return try await self.fail(problems, omitted: omitted) }
        return try await self.records.apply(to: self.id) {
            $0.validated(lines: findings.lines, models: findings.models, at: self.now)
        }.record
    }

    /// Records of earlier versions have none of their own.
    private func findings(of batch: BatchRecord) async throws -> InputFileFindings? {
        if let findings = batch.findings { return findings }
        return try await self.environment.store.get(FileRecord.self, batch.inputFileID)?.object.input
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
        return try await self.threads.run {
            try check.run(
                plan: try self.environment.bytes.openPlan(of: batch.inputFileID),
                input: try self.environment.bytes.open(batch.inputFileID)
            )
        }
    }

    // MARK: - Lines

    private func runLines(_ stored: BatchRecord) async throws -> BatchRecord {
        let work = try await self.takeUp(stored)
        var batch = work.batch
        var records = self.records
        records.epoch = batch.epoch
        let job = work.job
        self.onRunning(job, batch.models)
        // Damage may have cost results of a batch that had all of them: those lines run again.
        let lacksResults = batch.status == .finalizing && batch.ending == nil && !work.done.isComplete
        if batch.status == .inProgress || lacksResults {
            let end = try await self.untilEnd(work)
            batch = try await records.apply(to: self.id) { machine in
                switch end {
                case .complete: machine.allLinesDone(at: self.now)
                case .windowEnded: machine.windowEnded(at: self.now)
                case .cancelRequested: machine.cancelRequested(at: self.now)
                }
            }.record
        }
        let assembling = batch
        await self.environment.platform.wait(if: .waitBeforeOutput)
        let assembled = try await self.threads.run {
            try OutputAssembler(
                batch: assembling,
                reader: work.reader,
                log: work.log,
                index: work.index,
                blobs: self.environment.bytes.blobs
            ).run()
        }
        let files = try self.outputFiles(of: batch, assembled)
        await self.environment.platform.wait(if: .waitBeforeEnd)
        batch = try await records.apply(to: self.id, alongside: files) {
            $0.assembled(assembled.result, at: self.now)
        }.record
        let directory = self.environment.directory(of: self.id)
        let names = self.environment.platform.files
        try await self.threads.run {
            try names.removeDirectory(directory)
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
        let files = self.environment.platform.files
        let (index, recovery) = try await self.threads.run {
            try files.makeDirectory(directory)
            let index = try LocationIndex(path: directory + "/index", lines: lines, files: files)
            let recovery = try ResultLogRecovery(
                directory: directory,
                record: batch,
                lines: lines,
                index: index,
                files: files
            )
            return (index, recovery)
        }
        self.report(recovery.damage)
        let claim = try await self.records.apply(to: self.id) { $0.claimed(segments: recovery.segments) }
        // It has ended meanwhile, so it was somebody else's; its files are not to be written again.
        guard claim.outcome == .changed else { throw StoreError.fenced }
        let claimed = claim.record
        let (log, reader) = try await self.threads.run {
            (
                try ResultLog(
                    directory: directory,
                    job: self.id,
                    accepted: claimed.segments,
                    epoch: claimed.epoch,
                    files: files
                ),
                try self.openInput(claimed.inputFileID, lines: lines)
            )
        }
        await self.environment.platform.wait(if: .waitAfterClaim)
        let dispatcher = self.environment.dispatcher
        let committer = JobCommitter(
            log: log,
            index: index,
            progress: recovery.progress,
            ownership: self.environment.ownership,
            platform: self.environment.platform,
            logger: self.logger
        ) { dispatcher.committed(bytes: $0) }
        let job = RunningJob(
            number: self.number,
            id: self.id,
            endpoint: claimed.endpoint,
            dispatchClass: CompletionWindow(claimed.completionWindow)?.dispatchClass ?? .batch,
            committer: committer,
            results: EarlyResults(batchID: self.id, reader: reader, log: log, committer: committer)
        )
        return Work(batch: claimed, job: job, reader: reader, log: log, index: index, done: recovery.progress)
    }

    /// Blocking.
    private func openInput(_ fileID: String, lines: Int) throws -> PlanReader {
        do {
            let plan = try self.environment.bytes.openPlan(of: fileID)
            try plan.read(count: PlanHeader.encodedBytes, at: 0).withUnsafeBytes { try PlanHeader.check($0) }
            return PlanReader(input: try self.environment.bytes.open(fileID), plan: plan, lines: lines)
        } catch let error as FileError {
            guard error.isMissing else { throw error }
            throw UnreadableInput("its bytes are missing")
        } catch PlanProblem.unknownVersion(let version) {
            throw StoreError.unreadable(
                "the plan of \(fileID) has version \(version); this version reads \(PlanHeader.version)"
            )
        }
    }

    /// Why the lines of a batch stopped running.
    private enum End: Sendable {
        case complete
        case cancelRequested
        case windowEnded
    }

    /// Damage is repaired by running the lines again that it hit; people should know of the disk that did it.
    private func report(_ damage: [ResultLogRecovery.Damage]) {
        for part in damage {
            self.logger.error(
                "a result log is damaged; its lost lines run again",
                metadata: ["file": "\(part.path)", "bytes": "\(part.bytes)"]
            )
        }
    }

    /// Feeds the engines until every line has a record or the batch is to end early; then everything that was taken is
    /// durable.
    private func untilEnd(_ work: Work) async throws -> End {
        let job = work.job
        // Weakly: the job holds its committer, and a batch that ends early never comes here.
        job.committer.whenEnded { [weak job] result in
            switch result {
            case .success: job?.send(.complete)
            case .failure(let error): job?.send(.failed(error))
            }
        }
        // What was stored before anybody could tell this job.
        if let stored = try await self.environment.store.get(BatchRecord.self, self.id) {
            if stored.object.status == .cancelling { job.send(.cancelRequested) }
            let isPaused = stored.object.pausedAt != nil
            self.environment.dispatcher.setPaused(isPaused, job, version: stored.version)
        }
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await job.committer.run() }
            let result = await self.firstEvent(work)
            await self.drain(job, isSuspended: result == nil)
            job.committer.finish()
            try await group.waitForAll()
            guard let end = try result?.get() else { throw CancellationError() }
            return end
        }
    }

    /// Runs the feeder until something ends the lines; nil: the scheduler stops.
    private func firstEvent(_ work: Work) async -> Result<End, any Error>? {
        let job = work.job
        return await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.feed(work) }
            group.addTask { await self.watchWindow(of: work.batch, job) }
            defer {
                job.beginEnding()
                group.cancelAll()
            }
            for await event in job.events {
                switch event {
                case .complete: return .success(.complete)
                case .cancelRequested: return .success(.cancelRequested)
                case .windowEnded: return .success(.windowEnded)
                case .failed(let error): return .failure(error)
                case .suspended: return nil
                }
            }
            return nil
        }
    }

    /// Takes back what is queued and gives the answers under way a moment.
    private func drain(_ job: RunningJob, isSuspended: Bool) async {
        self.environment.dispatcher.withdraw(job)
        if isSuspended { job.committer.giveUpOnFullDisk() }
        if !job.isDrained {
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    try? await self.environment.platform.time.sleep(self.environment.drainGrace)
                    job.transfers.cancel()
                }
                for await _ in job.drained where job.isDrained { break }
                group.cancelAll()
            }
        }
        job.transfers.cancel()
        self.environment.dispatcher.withdraw(job)
    }

    private func feed(_ work: Work) async {
        let feeder = LineFeeder(
            job: work.job,
            reader: work.reader,
            models: work.batch.models,
            done: work.done,
            dispatcher: self.environment.dispatcher,
            threads: self.threads
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
            try? await self.environment.platform.time.sleep(.seconds(min(left, 10)))
        }
    }

    // MARK: - Output

    private func outputFiles(
        of batch: BatchRecord,
        _ assembled: (result: AssembledOutput, outputBytes: Int64, errorBytes: Int64)
    ) throws -> [RecordChange] {
        // A wall clock that was set back must not make them older than the batch.
        let now = max(self.now, batch.times.finalizingAt ?? batch.times.createdAt)
        let lifetime = batch.outputLifetimeSeconds ?? FilePurpose.batchOutput.defaultLifetimeSeconds
        let files = [
            (batch.outputFileID, "output", assembled.outputBytes, assembled.result.counts.completed),
            (batch.errorFileID, "errors", assembled.errorBytes, assembled.result.counts.failed),
        ]
        return try files.filter { $0.3 > 0 }.map { id, name, bytes, _ in
            var file = FileRecord(
                id: id,
                tenant: batch.tenant,
                bytes: bytes,
                createdAt: now,
                expiresAt: lifetime.map { now + $0 },
                filename: "\(batch.id)_\(name).jsonl",
                purpose: .batchOutput,
                blob: FileBytes.outputKey(id, epoch: batch.epoch)
            )
            file.project = batch.project
            return .insert(try StoredRecord(file))
        }
    }
}

extension InputProblem {
    fileprivate static func unreadableInput(_ reason: String) -> InputProblem {
        InputProblem(code: "input_file_damaged", message: "The stored input file cannot be read: \(reason).")
    }

    fileprivate static func missingInput(_ id: String) -> InputProblem {
        InputProblem(code: "invalid_input_file", message: "The input file \(id) was deleted before it was read.")
    }
}
