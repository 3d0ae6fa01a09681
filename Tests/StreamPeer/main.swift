import Foundation
import Logging
import NIOCore
import ProtoRPC

// Streams of all kinds with a peer that is not this project's (`Tests/EndToEnd/streams_interop_test.py`).
// Usage: stream-peer serve | stream-peer call PORT; the first prints its port, the second what it found as JSON.

let arguments = CommandLine.arguments.dropFirst().map { $0 }
let quiet = Logger(label: "stream-peer") { _ in SwiftLogNoOpLogHandler() }

switch (arguments.first, arguments.dropFirst().first.flatMap { Int($0) }) {
case ("serve", nil):
    let server = RPCServer(configuration: RPCServerConfiguration(), router: StreamService.router(), logger: quiet) {
        FileHandle.standardOutput.write(Data("\($0.port ?? 0)\n".utf8))
    }
    try await server.run()
case ("call", let port?):
    let configuration = RPCClientConfiguration(endpoints: [.init(host: "127.0.0.1", port: port)])
    let client = RPCClient(configuration: configuration, logger: quiet)
    let running = Task { await client.run() }
    let found = try await StreamCalls(client: client).run()
    FileHandle.standardOutput.write(try JSONEncoder().encode(found))
    running.cancel()
    await running.value
default:
    FileHandle.standardError.write(Data("usage: stream-peer serve | stream-peer call PORT\n".utf8))
    exit(2)
}
