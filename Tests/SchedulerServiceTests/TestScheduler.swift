import Foundation
import Logging
import NIOPosix
import SchedulerEngines
import SchedulerStores
import TestSupport

@testable import SchedulerService

/// A scheduler over a directory of its own, without engines unless some are given.
struct TestScheduler {
    let directory: TemporaryDirectory
    let store: InterceptedStore
    let node: SchedulerNode

    init(
        engines: [any Engine] = [],
        files: any FileSystem = LocalFileSystem(),
        logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
        _ change: (inout SchedulerConfiguration) -> Void = { _ in }
    ) async throws {
        let directory = try TemporaryDirectory()
        let store = InterceptedStore()
        self.directory = directory
        self.store = store
        let parts = SchedulerNode.Parts(
            store: store,
            dataDirectory: directory.path,
            engines: engines,
            platform: Platform(
                files: files,
                threads: NIOThreadPool.singleton,
                commitThreads: NIOThreadPool.singleton,
                time: .system,
                random: { UInt64.random(in: .min ... .max) },
                endsGracefully: false
            )
        )
        var configuration = SchedulerConfiguration(dataDirectory: directory.path)
        configuration.sweepInterval = .seconds(3_600)
        change(&configuration)
        self.node = try await SchedulerNode(parts, configuration: configuration, logger: logger)
    }

    /// Makes a file below the data directory.
    @discardableResult
    func place(_ path: String, _ content: Data = Data("x".utf8)) throws -> String {
        let url = URL(filePath: self.directory.path).appending(path: path)
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try content.write(to: url)
        return url.path
    }
}
