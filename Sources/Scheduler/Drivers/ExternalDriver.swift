public import SchedulerEngines

/// Engines that exist already and that somebody else runs: nothing to provision, nothing to tear down.
public struct ExternalDriver: Driver {
    /// The name `external`.
    public static let runtime = "external"

    private let engines: [EngineAddress]

    /// Makes a driver over the given engines.
    public init(engines: [EngineAddress]) {
        self.engines = engines
    }

    /// Runs `body` with the engines that were given.
    public func withEngines<Result: Sendable>(
        _ body: @Sendable ([EngineAddress]) async throws -> Result
    ) async throws -> Result {
        try await body(self.engines)
    }
}
