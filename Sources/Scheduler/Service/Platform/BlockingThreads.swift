package import NIOPosix

/// Threads on which calls may block.
package protocol BlockingThreads: Sendable {
    /// Runs `body` on one of them and gives what it gives.
    /// - Throws: what `body` throws; `CancellationError` when the task was cancelled before it ran.
    func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result
    /// Runs `body` also when the task was cancelled: for what removes what a cancelled call would leave.
    /// - Throws: what `body` throws; `CancellationError` when there are no threads any more.
    func runToTheEnd<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result
}

extension NIOThreadPool: BlockingThreads {
    /// Runs `body` on a thread of the pool.
    package func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await self.runIfActive(body)
    }

    /// Runs `body` on a thread of the pool, whether or not the task was cancelled.
    package func runToTheEnd<Success: Sendable>(
        _ body: @escaping @Sendable () throws -> Success
    ) async throws -> Success {
        try await withCheckedThrowingContinuation { continuation in
            self.submit { state in
                switch state {
                case .active: continuation.resume(with: Result(catching: body))
                case .cancelled: continuation.resume(throwing: CancellationError())
                }
            }
        }
    }
}
