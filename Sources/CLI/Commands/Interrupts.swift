import Synchronization
import UnixSignals

/// Turns Ctrl-C into an orderly end.
final class Interrupts: Sendable {
    private let flag = Atomic<Bool>(false)

    /// Whether Ctrl-C was pressed.
    var happened: Bool { self.flag.load(ordering: .relaxed) }

    /// Runs `body`; at the first Ctrl-C calls `onInterrupt` and lets `body` end by itself.
    func during<Result: Sendable>(
        _ body: @escaping @Sendable () async throws -> Result,
        onInterrupt: @escaping @Sendable () async -> Void
    ) async throws -> Result {
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        return try await withThrowingTaskGroup(of: Result?.self) { group in
            group.addTask {
                for await _ in signals {
                    self.flag.store(true, ordering: .relaxed)
                    await onInterrupt()
                    break
                }
                return nil
            }
            group.addTask { try await body() }
            while let result = try await group.next() {
                guard let result else { continue }
                group.cancelAll()
                return result
            }
            throw ToolError.gateway("interrupted")
        }
    }
}
