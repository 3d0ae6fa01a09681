import Foundation
import SchedulerCore
import SchedulerStores
import Synchronization
import Testing

@testable import SchedulerService

/// A batch is taken up by somebody who does not know yet that it is another's.
@Suite(.timeLimit(.minutes(1)))
struct TakeUpTests {
    @Test("I-05 I-08 who takes a batch up that has ended meanwhile writes none of its files again")
    func endedMeanwhile() async throws {
        let scheduler = try await TestScheduler()
        let ended = try Self.batch(.completed, epoch: 1)
        try await scheduler.store.apply([.insert(try StoredRecord(ended))])
        // What it was before the owner of epoch 1 took it up: its window is over, so it needs no engine.
        scheduler.store.staleRecord.withLock { $0 = try? StoredRecord(Self.batch(.finalizing, epoch: 0), version: 1) }
        try Self.placeInput(of: ended, scheduler)
        let output = try scheduler.place("blobs/ab/\(FileBytes.outputKey(ended.errorFileID, epoch: 1))")
        let services = scheduler.node.services
        let running = Task { try await SchedulerNode.runTogether(services) }
        while !scheduler.store.unclaimed.withLock({ $0.contains { $0.hasSuffix(ended.id) } }) {
            try await Task.sleep(for: .milliseconds(5))
        }
        running.cancel()
        _ = await running.result
        #expect(try String(contentsOfFile: output, encoding: .utf8) == "x")
        #expect(try await scheduler.store.get(BatchRecord.self, ended.id)?.object == ended)
    }

    /// Two lines and their plan.
    private static func placeInput(of batch: BatchRecord, _ scheduler: TestScheduler) throws {
        let lines = (0..<2).map { number in
            #"{"custom_id":"\#(number)","method":"POST","url":"/v1/chat/completions","body":{"model":"m"}}"# + "\n"
        }
        var plan = PlanHeader.encoded
        for (number, line) in lines.enumerated() {
            let length = UInt32(line.utf8.count)
            PlanEntry(offset: UInt64(number) * UInt64(length), length: length - 1, model: 0, url: 0).append(to: &plan)
        }
        let id = batch.inputFileID
        try scheduler.place("blobs/\(id.suffix(2))/\(id)", Data(lines.joined().utf8))
        try scheduler.place("blobs/\(id.suffix(2))/\(FileBytes.planKey(id))", Data(plan))
    }

    /// A batch of two lines none of which has a result.
    private static func batch(_ status: BatchStatus, epoch: UInt32) throws -> BatchRecord {
        var batch = try TestScheduler.batch(status)
        batch.ending = status == .finalizing ? .expired : nil
        batch.times.inProgressAt = 1
        batch.counts.total = 2
        batch.epoch = epoch
        return batch
    }
}
