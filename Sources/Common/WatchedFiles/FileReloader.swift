public import Logging
import NIOPosix
public import ServiceLifecycle
import Settings

/// Looks at files while a program runs, so that a change needs no restart.
public struct FileReloader: Service {
    /// Time between two looks by default: how long a key that was taken away may still be used.
    public static let interval = Duration.seconds(1)

    private let files: [any WatchedContent]
    private let interval: Duration
    private let logger: Logger
    private let report: @Sendable (FileOutcome) -> Void

    /// Makes a service; `run()` starts it.
    ///
    /// - Parameters:
    ///   - files: what is looked at.
    ///   - interval: time between two looks.
    ///   - logger: gets what has changed, why a change cannot be used, and which files are too open.
    ///   - report: gets the changes too, for tests.
    public init(
        files: [any WatchedContent],
        interval: Duration = Self.interval,
        logger: Logger,
        report: @escaping @Sendable (FileOutcome) -> Void = { _ in }
    ) {
        self.files = files
        self.interval = interval
        self.logger = logger
        self.report = report
    }

    /// Looks again and again, until graceful shutdown or cancellation. Does not fail.
    public func run() async {
        for file in self.files { self.warn(about: file) }
        await cancelWhenGracefulShutdown {
            while (try? await Task.sleep(for: self.interval)) != nil {
                for file in self.files { await self.look(at: file) }
            }
        }
    }

    private func look(at file: any WatchedContent) async {
        // On a thread of its own: it reads a file.
        guard let outcome = try? await NIOThreadPool.singleton.runIfActive({ file.reloadIfChanged() }) else { return }
        switch outcome {
        case .unchanged: return
        case .reloaded:
            self.logger.notice("a changed file is in force", metadata: ["file": "\(file.path)"])
            self.warn(about: file)
        case .kept(let error):
            self.logger.error(
                "a changed file cannot be used; what it said before stays in force",
                metadata: ["file": "\(file.path)", "error": "\(error.message)"]
            )
        }
        self.report(outcome)
    }

    private func warn(about file: any WatchedContent) {
        guard file.isTooOpen else { return }
        self.logger.warning(
            "others can read the file, or its group can change it: give it mode 0600 or 0640",
            metadata: ["file": "\(file.path)"]
        )
    }
}
