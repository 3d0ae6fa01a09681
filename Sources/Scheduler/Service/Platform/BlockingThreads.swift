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

extension BlockingThreads {
    /// Runs `body` also when the task was cancelled: for what removes what a cancelled call would leave.
    func runToTheEnd<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        // A task of its own is not cancelled with this one, which waits for it all the same.
        try await Task { try await self.run(body) }.value
    }
}
