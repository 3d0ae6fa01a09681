import DequeModule
import Dispatch
import Foundation
import SchedulerService
import SchedulerStores

/// A process: an executor for its tasks, its clocks, and its end.
///
/// A killed process has no effect on the world any more: its files, store, engines and sleeps refuse everything, so that
/// its tasks unwind unseen.
final class SimulatedProcess: TaskExecutor, @unchecked Sendable {
    // Guard: only the main thread touches it.

    private enum Item {
        case job(UnownedJob)
        case call(() -> Void)
    }

    private static let stackBytes = 8 << 20

    let world: World
    let name: String
    /// Offset of its wall clock, in milliseconds.
    var wallOffset: Int64 = 0
    private(set) var isDead = false
    private(set) var pausedUntil: Int64 = 0
    /// One of its system calls is on the stack.
    private var isStalled = false
    private var queue: Deque<Item> = []
    /// The world knows of those that are not idle.
    private var isIdle = true
    private var sleepers: [UInt64: UnsafeContinuation<Void, Never>] = [:]
    private var count: UInt64 = 0
    private var onDeath: [() -> Void] = []

    init(_ name: String, in world: World) {
        self.name = name
        self.world = world
    }

    // MARK: - Executor

    func enqueue(_ job: consuming ExecutorJob) {
        self.append(.job(UnownedJob(job)))
    }

    /// Does something on the process's turn, as an interrupt would.
    func post(_ body: @escaping () -> Void) {
        self.append(.call(body))
    }

    private func append(_ item: Item) {
        self.queue.append(item)
        guard self.isIdle else { return }
        self.isIdle = false
        self.world.isBusy(self)
    }

    /// Whether nothing is left to do.
    func becomesIdle() -> Bool {
        self.isIdle = self.queue.isEmpty
        return self.isIdle
    }

    var isReady: Bool {
        !self.queue.isEmpty && !self.isStalled && (self.isDead || self.world.now >= self.pausedUntil)
    }

    func runOne() {
        // Now and then out of order, as threads would.
        if self.queue.count > 1, self.world.chance(0.1) {
            self.queue.swapAt(0, Int(self.world.random() % UInt64(self.queue.count)))
        }
        switch self.queue.removeFirst() {
        case .job(let job): job.runSynchronously(on: self.asUnownedTaskExecutor())
        case .call(let body): body()
        }
    }

    // MARK: - Life

    func whenDead(_ body: @escaping () -> Void) {
        self.onDeath.append(body)
    }

    /// kill -9.
    func kill() {
        guard !self.isDead else { return }
        self.isDead = true
        let sleepers = self.sleepers
        self.sleepers = [:]
        for key in sleepers.keys.sorted() { sleepers[key]?.resume() }
        for body in self.onDeath { body() }
        self.onDeath = []
    }

    /// SIGSTOP, and SIGCONT later.
    func pause(_ milliseconds: Int64) {
        self.pausedUntil = max(self.pausedUntil, self.world.now + milliseconds)
        // Wakes the world when it goes on.
        self.world.after(milliseconds) { self.world.isDisturbed() }
    }

    /// The process stands still in the middle of a system call while the world goes on.
    func stall(_ milliseconds: Int64) {
        self.isStalled = true
        // On a stack of its own: a task must not run inside another one. This one waits, so there is still one at a time.
        let isOver = DispatchSemaphore(value: 0)
        let end = self.world.now + milliseconds
        let thread = Thread {
            self.world.run(until: end)
            isOver.signal()
        }
        thread.stackSize = Self.stackBytes
        thread.start()
        isOver.wait()
        self.isStalled = false
        self.world.isDisturbed()
    }

    // MARK: - Clocks

    func sleep(_ milliseconds: Int64) async throws {
        try Task.checkCancellation()
        guard !self.isDead else { throw CancellationError() }
        self.count += 1
        let key = self.count
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                guard !Task.isCancelled, !self.isDead else { return continuation.resume() }
                self.sleepers[key] = continuation
                self.world.after(milliseconds) { self.wake(key) }
            }
        } onCancel: {
            self.wake(key)
        }
        try Task.checkCancellation()
        guard !self.isDead else { throw CancellationError() }
    }

    private func wake(_ key: UInt64) {
        self.sleepers.removeValue(forKey: key)?.resume()
    }

    var time: SystemTime {
        SystemTime(
            monotonicMilliseconds: { self.world.now },
            bootMilliseconds: { self.world.now },
            unixMilliseconds: { Self.epoch + self.world.now + self.wallOffset },
            sleep: { try await self.sleep(Int64($0 / .milliseconds(1))) }
        )
    }

    /// When the simulated world begins, in Unix milliseconds.
    private static let epoch: Int64 = 1_800_000_000_000

    /// How long it is from `now` until a time of the API.
    static func milliseconds(untilUnixSecond second: Int64, at now: Int64) -> Int64 {
        second * 1_000 - Self.epoch - now
    }
}

/// A process's threads: what blocks runs at once, a little later.
struct SimulatedThreads: BlockingThreads {
    let process: SimulatedProcess

    func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await self.process.sleep(self.process.world.random(0...2))
        return try body()
    }

    func runToTheEnd<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try body()
    }
}
