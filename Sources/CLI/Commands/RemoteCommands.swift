import ArgumentParser
import Foundation

struct SubmitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "submit", abstract: "Upload a file and start a batch.")

    @Argument(help: "File with one request a line.") var file: String
    @Option(help: "Path of the requests; default: what the first line says.") var endpoint: String?
    @Option(help: "How long the batch may take, such as 24h, 90m or 7d.") var window = "24h"
    @Option(name: .customLong("metadata"), help: "A pair KEY=VALUE to keep with the batch.") var metadata: [String] = []
    @OptionGroup var gateway: GatewayOptions

    func run() async throws {
        try await reporting {
            let client = self.gateway.client
            let endpoint = try self.endpoint ?? InputFile.endpoint(self.file)
            let pairs = try self.metadata.map { text in
                let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
                guard parts.count == 2 else { throw ToolError.input("--metadata takes KEY=VALUE, not '\(text)'") }
                return (parts[0], parts[1])
            }
            let uploaded = try await client.upload(self.file)
            let batch = try await client.createBatch(
                input: uploaded.id,
                endpoint: endpoint,
                window: self.window,
                metadata: Dictionary(pairs) { $1 }
            )
            print(batch.id)
            return 0
        }
    }
}

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "status", abstract: "Show a batch.")

    @Argument(help: "Id of the batch.") var id: String
    @OptionGroup var gateway: GatewayOptions

    func run() async throws {
        try await reporting {
            let batch = try await self.gateway.client.batch(self.id)
            var progress = Progress(startedAt: 0)
            progress.update(batch, at: 0)
            print("\(batch.id) \(progress.line)")
            batch.printProblems()
            return 0
        }
    }
}

struct WatchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "watch", abstract: "Follow a batch to its end.")

    @Argument(help: "Id of the batch.") var id: String
    @OptionGroup var gateway: GatewayOptions

    func run() async throws {
        try await reporting {
            let (batch, progress) = try await BatchWatcher(client: self.gateway.client).watch(self.id)
            print(batch.summary(progress))
            batch.printProblems()
            return batch.exitCode
        }
    }
}

struct FetchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "fetch", abstract: "Download the results of a batch.")

    @Argument(help: "Id of the batch.") var id: String
    @Option(name: .shortAndLong, help: "File for the answers.") var output: String
    @Option(help: "File for the error lines; default: OUTPUT with .errors before its extension.") var errors: String?
    @OptionGroup var gateway: GatewayOptions

    func run() async throws {
        try await reporting {
            let client = self.gateway.client
            let batch = try await client.batch(self.id)
            guard batch.isTerminal else { throw ToolError.gateway("\(batch.id) is still \(batch.status)") }
            try await BatchWatcher(client: client).fetch(
                batch,
                output: self.output,
                errors: self.errors ?? InputFile.errorsPath(self.output)
            )
            return 0
        }
    }
}

struct CancelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "cancel", abstract: "Cancel a batch.")

    @Argument(help: "Id of the batch.") var id: String
    @OptionGroup var gateway: GatewayOptions

    func run() async throws {
        try await reporting {
            let batch = try await self.gateway.client.cancel(self.id)
            print("\(batch.id) \(batch.status)")
            return 0
        }
    }
}

struct ListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List batches, newest first.")

    @Option(help: "How many, 1 to 100.") var limit = 20
    @Flag(help: "Print JSON.") var json = false
    @OptionGroup var gateway: GatewayOptions

    func run() async throws {
        try await reporting {
            let list = try await self.gateway.client.batches(limit: self.limit)
            if self.json {
                let encoder = JSONEncoder()
                encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
                print(String(decoding: try encoder.encode(list.data), as: UTF8.self))
                return 0
            }
            for batch in list.data {
                var progress = Progress(startedAt: 0)
                progress.update(batch, at: 0)
                print("\(batch.id)  \(progress.line)")
            }
            return 0
        }
    }
}
