public import Logging
import NIOPosix
public import ServiceLifecycle

/// Looks at the files of contexts while a program runs, so that renewed certificates need no restart.
public struct TLSReloader: Service {
    private let sources: [TLSContextSource]
    private let interval: Duration
    private let logger: Logger
    private let report: @Sendable (TLSContextSource.Outcome) -> Void

    /// Makes a service; `run()` starts it.
    ///
    /// - Parameters:
    ///   - sources: the contexts of new connections.
    ///   - interval: time between two looks. Default 10 s.
    ///   - logger: gets what has changed, and why a change cannot be used.
    ///   - report: gets it too, for tests.
    public init(
        sources: [TLSContextSource],
        interval: Duration = .seconds(10),
        logger: Logger,
        report: @escaping @Sendable (TLSContextSource.Outcome) -> Void = { _ in }
    ) {
        self.sources = sources
        self.interval = interval
        self.logger = logger
        self.report = report
    }

    /// Looks again and again, until graceful shutdown or cancellation. Does not fail.
    public func run() async {
        await cancelWhenGracefulShutdown {
            while (try? await Task.sleep(for: self.interval)) != nil {
                for source in self.sources {
                    await self.look(at: source)
                }
            }
        }
    }

    private func look(at source: TLSContextSource) async {
        // On a thread of its own: it reads files.
        guard let outcome = try? await NIOThreadPool.singleton.runIfActive({ source.reloadIfChanged() }) else { return }
        switch outcome {
        case .unchanged: return
        case .reloaded: self.logger.notice("new connections use the changed certificates")
        case .kept(let error):
            self.logger.error(
                "the changed certificates cannot be used; new connections go on with the old ones",
                metadata: ["error": "\(error)"]
            )
        }
        self.report(outcome)
    }
}
