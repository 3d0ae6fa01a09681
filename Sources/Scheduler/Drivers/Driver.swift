public import SchedulerEngines

/// Where engines run. A driver owns compute for a session and gives it back on every exit (design section 6).
public protocol Driver: Sendable {
    /// The name that a configuration or a job gives, such as `external`.
    static var runtime: String { get }

    /// Provisions engines, waits until they can be connected to, runs `body`, and tears down, also when `body` throws
    /// or is cancelled.
    func withEngines<Result: Sendable>(
        _ body: @Sendable ([EngineAddress]) async throws -> Result
    ) async throws -> Result
}
