package import Logging
import SchedulerStores
import ServiceLifecycle
import Synchronization

/// Ends the scheduler when what was written may be lost without anybody being able to tell (T-06): whoever started it
/// starts it again, on what is on disk.
package final class StoreFailures: Sendable {
    private struct State {
        var fatal: (any Error)?
        var isDamageTold = false
    }

    private let state = Mutex(State())
    fileprivate let reports: AsyncStream<Void>
    private let reporter: AsyncStream<Void>.Continuation
    private let logger: Logger

    /// Nothing has failed yet.
    package init(logger: Logger) {
        self.logger = logger
        (self.reports, self.reporter) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Takes note of an error: a fatal one ends the scheduler, damage is told once, any other one is somebody else's.
    package func report(_ error: any Error) {
        let isFatal = (error as? FileError)?.isFatal ?? (error as? StoreError)?.isFatal ?? false
        let isNew = self.state.withLock { state in
            if isFatal {
                defer { state.fatal = state.fatal ?? error }
                return state.fatal == nil
            }
            guard case StoreError.damaged = error, !state.isDamageTold else { return false }
            state.isDamageTold = true
            return true
        }
        guard isNew else { return }
        let what = isFatal ? "the store has failed: the scheduler ends" : "the store is damaged"
        self.logger.critical("\(what)", metadata: ["error": "\(error)"])
        if isFatal { self.reporter.yield() }
    }

    /// Throws the failure that ends this scheduler: after it nothing is written, and nothing written counts.
    func check() throws {
        if let fatal = self.state.withLock({ $0.fatal }) { throw fatal }
    }
}

/// Runs until a failure that ends the scheduler, and throws it.
struct StoreFailureWatch: Service {
    /// Callers that hit the failure get their answer in this time.
    private static let grace = Duration.milliseconds(200)

    let failures: StoreFailures
    let platform: Platform

    func run() async throws {
        await self.platform.untilShutdown {
            for await _ in self.failures.reports { break }
            try? await self.platform.time.sleep(Self.grace)
        }
        try self.failures.check()
    }
}

/// Threads that report every failure on them.
struct WatchedThreads: BlockingThreads {
    let threads: any BlockingThreads
    let failures: StoreFailures

    func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await self.threads.run { try self.watch(body) }
    }

    func runToTheEnd<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await self.threads.runToTheEnd { try self.watch(body) }
    }

    private func watch<Result>(_ body: () throws -> Result) throws -> Result {
        try self.failures.check()
        do {
            let result = try body()
            try self.failures.check()
            return result
        } catch {
            self.failures.report(error)
            throw error
        }
    }
}
