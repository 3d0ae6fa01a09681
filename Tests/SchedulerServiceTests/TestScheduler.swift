import Foundation
import Logging
import NIOPosix
import ProtoMessages
import ProtoRPC
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

    /// Runs the services around `body`.
    func running<Result: Sendable>(_ body: () async throws -> Result) async throws -> Result {
        let services = self.node.services
        let running = Task { try await SchedulerNode.runTogether(services) }
        let result: Swift.Result<Result, any Error>
        do {
            result = .success(try await body())
        } catch {
            result = .failure(error)
        }
        running.cancel()
        _ = await running.result
        return try result.get()
    }

    /// Makes a call as if it had come over a connection; `running` must go on.
    func call<Request, Response>(
        _ method: RPCMethod<Request, Response>,
        _ request: Request,
        metadata: [(String, String)] = []
    ) async throws -> Response {
        while true {
            do {
                let context = RPCContext(metadata: RPCMetadata(metadata))
                return try await self.node.router.call(method, request, context: context)
            } catch let error as RPCError where error.code == .unavailable && error.message.contains("lease") {
                // The lease has not begun yet.
                await Task.yield()
            }
        }
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
