public import ArgumentParser
import Foundation

/// The command line tool.
public struct BackfillCommand: AsyncParsableCommand {
    /// Names the tool and its commands.
    public static let configuration = CommandConfiguration(
        commandName: "backfill",
        abstract: "Runs files of requests as batches on inference engines.",
        version: "0.1.0",
        subcommands: [
            RunCommand.self, SubmitCommand.self, StatusCommand.self, WatchCommand.self, FetchCommand.self,
            CancelCommand.self, ListCommand.self, KeysCommand.self,
        ]
    )

    /// Used by the argument parser.
    public init() {}
}

/// Which gateway to talk to.
struct GatewayOptions: ParsableArguments {
    @Option(help: "URL of the gateway; else BACKFILL_GATEWAY, OPENAI_BASE_URL or http://127.0.0.1:8080.")
    var gateway: String?

    var client: GatewayClient {
        let environment = ProcessInfo.processInfo.environment
        let url = self.gateway ?? environment["BACKFILL_GATEWAY"] ?? environment["OPENAI_BASE_URL"]
        return GatewayClient(
            baseURL: url ?? "http://127.0.0.1:8080",
            apiKey: environment["BACKFILL_API_KEY"] ?? environment["OPENAI_API_KEY"]
        )
    }
}

/// Runs a command's body and turns its errors into exit codes: 2 for bad input, 1 for the rest.
func reporting(_ body: () async throws -> Int32) async throws {
    let code: Int32
    do {
        code = try await body()
    } catch let error as ToolError {
        FileHandle.standardError.write(Data("error: \(error)\n".utf8))
        if case .input = error { throw ExitCode(2) }
        throw ExitCode(1)
    }
    guard code == 0 else { throw ExitCode(code) }
}
