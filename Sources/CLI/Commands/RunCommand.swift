import ArgumentParser
import Foundation
import SchedulerEngines

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run a file as a batch, with everything it takes in this process."
    )

    @Option(name: .shortAndLong, help: "File with one request a line.") var input: String
    @Option(name: .shortAndLong, help: "File for the answers.") var output: String
    @Option(help: "File for the error lines; default: OUTPUT with .errors before its extension.") var errors: String?
    @Option(help: "An engine, [MODEL=]URL; may be repeated. Without one a built-in simulator answers.")
    var engine: [String] = []
    @Option(help: "Path of the requests; default: what the first line says.") var endpoint: String?
    @Option(help: "Most requests in flight at one engine.") var concurrency = 256
    @Option(help: "Directory to keep the state in; default: a temporary one that is removed.") var keepData: String?

    func run() async throws {
        try await reporting {
            let engines = try self.engine.map { text in
                guard let address = EngineAddress(parsing: text) else {
                    throw ToolError.input("--engine takes [MODEL=]URL, not '\(text)'")
                }
                return address
            }
            guard (1...16_384).contains(self.concurrency) else {
                throw ToolError.input("--concurrency takes 1 to 16384")
            }
            let endpoint = try self.endpoint ?? InputFile.endpoint(self.input)
            if engines.isEmpty { print("no --engine given: the built-in simulator answers") }
            let directory = self.keepData ?? NSTemporaryDirectory() + "backfill-\(UUID().uuidString)"
            defer {
                if self.keepData == nil { try? FileManager.default.removeItem(atPath: directory) }
            }
            let pair = EmbeddedPair(dataDirectory: directory, engines: engines, concurrency: self.concurrency)
            return try await pair.run { url in try await self.runBatch(url, endpoint) }
        }
    }

    private func runBatch(_ url: String, _ endpoint: String) async throws -> Int32 {
        let client = GatewayClient(baseURL: url, apiKey: nil)
        let watcher = BatchWatcher(client: client)
        let uploaded = try await client.upload(self.input)
        let created = try await client.createBatch(input: uploaded.id, endpoint: endpoint, window: "30d", metadata: [:])
        let interrupts = Interrupts()
        let (batch, progress) = try await interrupts.during {
            try await watcher.watch(created.id)
        } onInterrupt: {
            _ = try? await client.cancel(created.id)
        }
        try await watcher.fetch(batch, output: self.output, errors: self.errors ?? InputFile.errorsPath(self.output))
        print(batch.summary(progress))
        batch.printProblems()
        return interrupts.happened ? 130 : batch.exitCode
    }
}
