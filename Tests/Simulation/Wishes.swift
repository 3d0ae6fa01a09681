import ProtoMessages
import ProtoRPC
import SchedulerCore

/// What clients ask for about a batch that is there.
extension Workload {
    /// Some batches are paused or cancelled, and some inputs deleted, at any moment.
    func changeOfMind(_ order: Order, _ id: String) async {
        if self.world.chance(0.1) {
            await self.rest(0...20_000)
            await self.ask(.inputDeleted, order, id)
        }
        if self.world.chance(0.2) {
            if !self.world.chance(0.4) { await self.rest(0...10_000) }
            await self.ask(.batchPaused, order, id)
        }
        guard self.world.chance(0.25) else { return }
        if !self.world.chance(0.3) { await self.rest(0...60_000) }
        await self.ask(.cancel, order, id)
    }

    func ask(_ event: Event, _ order: Order, _ id: String) async {
        if event != .batchResumed { self.cluster.states.hit(event, id) }
        switch event {
        case .inputDeleted:
            guard let file = order.fileID else { return }
            self.cluster.deletedFiles.insert(file)
            _ = await self.persistently(FilesService.deleteFile, DeleteFileRequest(fileID: file))
        case .cancel: await self.cancel(order, id)
        case .batchPaused: await self.pauseForAWhile(order, id)
        case .batchResumed: await self.setPaused(false, order, id)
        // Whose create was not answered is not known yet.
        case .batchDeleted: if order.batchID != nil { await self.delete(order, id) }
        case .crash, .powerLoss, .pause, .diskFull, .outage, .clockJump, .windowEnds, .fileDamaged: break
        }
    }

    private func hasEnded(_ id: String) -> Bool { self.cluster.states.status(of: id)?.isTerminal ?? false }

    // MARK: - Cancel

    private func cancel(_ order: Order, _ id: String) async {
        let asked = self.world.now
        let hadEnded = self.hasEnded(id)
        switch await self.persistently(BatchesService.cancelBatch, CancelBatchRequest(batchID: id)) {
        case .success(let response):
            if hadEnded { self.cluster.violation("I-05 \(id) was cancelled after its end") }
            if let batch = response.batch { self.note(batch, order, asked: asked) }
        case .failure(let error):
            if !self.hasEnded(id) { self.cluster.violation("\(id) could not be cancelled: \(error)") }
        }
    }

    // MARK: - Pause and resume

    private func pauseForAWhile(_ order: Order, _ id: String) async {
        order.pausing.pausesUnderWay += 1
        await self.setPaused(true, order, id)
        // Some leave it as it is until its window ends.
        if order.hasShortWindow, self.world.chance(0.4) { return }
        await self.rest(self.world.chance(0.5) ? 0...10 : 0...60_000)
        await self.ask(.batchResumed, order, id)
        order.pausing.pausesUnderWay -= 1
    }

    /// Resumes a batch once more that was paused by a call that its client had given up before it resumed it.
    func resumeAgain(_ order: Order, _ batch: Batch) async {
        guard order.pausing.hasLooseCalls, order.pausing.pausesUnderWay == 0, batch.pausedAt != nil,
            batch.status.isPausable
        else { return }
        await self.ask(.batchResumed, order, batch.id)
    }

    private func setPaused(_ isPaused: Bool, _ order: Order, _ id: String) async {
        order.pausing.wishes += 1
        order.pausing.isPaused = nil
        let wish = order.pausing.wishes
        let isAlone = order.pausing.wishesUnderWay == 0
        order.pausing.wishesUnderWay += 1
        defer { order.pausing.wishesUnderWay -= 1 }
        while true {
            let asked = self.world.now
            let scheduler = self.cluster.someScheduler
            let process = scheduler.process
            switch await self.answer(to: isPaused, id, at: scheduler) {
            case .success(let batch):
                if (batch.pausedAt != nil) != isPaused { self.cluster.violation("I-01 \(id) became \(batch)") }
                self.note(batch, order, asked: asked)
                // Another wish may have its effect before or after.
                guard isAlone, wish == order.pausing.wishes, !order.pausing.hasLooseCalls else { return }
                order.pausing.isPaused = isPaused
                if isPaused { self.cluster.states.pauseWasTold(by: process, of: id) }
                return
            case .failure(let error) where error.isTransient:
                order.pausing.hasLooseCalls = order.pausing.hasLooseCalls || !error.notSent
                await self.wait(self.world.random(100...2_000))
            case .failure(let error):
                if self.cluster.states.status(of: id)?.isPausable ?? true {
                    self.cluster.violation("\(id) could not be paused or resumed: \(error)")
                }
                return
            }
        }
    }

    private func answer(
        to isPaused: Bool,
        _ id: String,
        at scheduler: SimulatedScheduler
    ) async -> Result<Batch, RPCError> {
        let answer: Result<Batch?, RPCError> =
            if isPaused {
                await self.call(BatchesService.pauseBatch, PauseBatchRequest(batchID: id), at: scheduler).map(\.batch)
            } else {
                await self.call(BatchesService.resumeBatch, ResumeBatchRequest(batchID: id), at: scheduler)
                    .map(\.batch)
            }
        return answer.map { $0 ?? Batch() }
    }

    // MARK: - Deletion

    private func delete(_ order: Order, _ id: String) async {
        order.deletions += 1
        let hadEnded = self.hasEnded(id)
        let (answer, isRepeated) = await self.untilAnswered(BatchesService.deleteBatch, DeleteBatchRequest(batchID: id))
        switch answer {
        case .success:
            if !self.hasEnded(id) { self.cluster.violation("I-04 \(id) was deleted before its end") }
            if !order.isDeleted { self.world.coverage.hit(.deletedBatch) }
            order.isDeleted = true
        case .failure(let error) where error.code == .notFound:
            if !isRepeated, order.deletions == 1 { self.cluster.violation("I-01 \(id) is gone: \(error)") }
            order.isDeleted = true
        case .failure(let error):
            if hadEnded || error.code != .failedPrecondition {
                self.cluster.violation("\(id) could not be deleted: \(error)")
            }
        }
    }

    // MARK: - Retry of failed lines

    /// Asks for a batch of the lines that are in the error file: of these and no others.
    func retry(_ first: Order, _ id: String) async {
        guard let failed = first.failed, first.generation < 2 else { return }
        let order = self.add(failed.map { first.lines[$0] }, failedIn: first)
        let keepsWindow = self.world.chance(0.5)
        order.hasShortWindow = keepsWindow && first.hasShortWindow
        let request = RetryBatchRequest(
            batchID: id,
            completionWindow: keepsWindow ? "" : "24h",
            metadata: ["order": "\(order.number)"]
        )
        let asked = self.world.now
        let key = "order-\(order.number)"
        var (answer, isRepeated) = await self.untilAnswered(BatchesService.retryBatch, request, key: key)
        if case .failure = answer, isRepeated {
            // An earlier call may have made it, or be about to.
            await self.wait(60_000 * self.cluster.scenario.leaseStretch)
            if let made = self.cluster.states.batch(ofOrder: order.number) {
                answer = await self.persistently(BatchesService.getBatch, GetBatchRequest(batchID: made))
                    .map { RetryBatchResponse(batch: $0.batch) }
            }
        }
        switch answer {
        case .success(let response):
            guard let batch = response.batch, batch.retryOf == id, !failed.isEmpty else {
                return self.cluster.violation("I-02 \(id) has \(failed.count) failed lines, retried as \(response)")
            }
            self.world.coverage.hit(.retriedBatch)
            self.start { await self.follow(order, batch, asked: asked) }
        case .failure(let error):
            order.isChecked = true
            order.isRefused = true
            if !self.mayRefuse(first, error) {
                self.cluster.violation("\(id) with \(failed.count) failed lines could not be retried: \(error)")
            }
        }
    }

    private func mayRefuse(_ first: Order, _ error: RPCError) -> Bool {
        switch error.reason {
        case "nothing_to_retry": first.failed?.isEmpty ?? true
        case "invalid_input_file": !first.isValid || first.terminal?.status == .failed
        case "file_not_found": self.cluster.mayBeGone(inputOf: first)
        case "file_damaged", "input_file_damaged": self.cluster.damage.hasHit(filesOf: first)
        case "batch_not_found": first.deletions > 0
        default: false
        }
    }
}
