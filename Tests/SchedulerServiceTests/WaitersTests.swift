import Testing

@testable import SchedulerService

@Suite(.timeLimit(.minutes(1)))
struct WaitersTests {
    @Test func aWakeUpBetweenTheLookAndTheWaitIsNotMissed() async {
        let waiters = Waiters()
        let generation = waiters.generation
        waiters.wakeAll()
        await waiters.wait(since: generation)
        #expect(waiters.count == 0)
    }

    @Test func aCancelledTaskStopsWaiting() async {
        let waiters = Waiters()
        let generation = waiters.generation
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await waiters.wait(since: generation) }
            while waiters.count == 0 { await Task.yield() }
            group.cancelAll()
        }
        #expect(waiters.count == 0)
    }

    @Test func allThatWaitGoOn() async {
        let waiters = Waiters()
        let generation = waiters.generation
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask { await waiters.wait(since: generation) }
            }
            while waiters.count < 8 { await Task.yield() }
            waiters.wakeAll()
        }
        #expect(waiters.count == 0)
    }
}
