package import NIOPosix

/// Threads on which calls may block.
package protocol BlockingThreads: Sendable {
    /// Runs `body` on one of them and gives what it gives.
    /// - Throws: what `body` throws; `CancellationError` when the task was cancelled before it ran.
    func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result
}

extension NIOThreadPool: BlockingThreads {
    /// Runs `body` on a thread of the pool.
    package func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await self.runIfActive(body)
    }
}
