import Foundation
import Logging
import NIOCore
import NIOPosix
import ProtoRPC
import ProtoTLS

// The wire under random resets, rude and slow peers, cancels and short deadlines. Every answered call ran once, no other
// twice, every stream came as it was sent; in the end memory and descriptors are what they were.
// Usage: wire-soak SECONDS [SEED] [CERTIFICATES]; the directory is one of deploy/certificates.sh.

/// Growth of memory from the second fifth of the time to the last that is taken for flat.
let allowedMiB = 16.0
let arguments = CommandLine.arguments.dropFirst().map { $0 }
let seconds = arguments.first.flatMap { Int($0) } ?? 600
let seed = arguments.dropFirst().first.flatMap { UInt64($0) } ?? UInt64.random(in: 0..<1_000_000)
let certificates = arguments.count > 2 ? arguments[2] : nil
let quiet = Logger(label: "soak") { _ in SwiftLogNoOpLogHandler() }
let ledger = Ledger()

/// Prints a line at once.
func say(_ line: String) {
    FileHandle.standardOutput.write(Data("\(line)\n".utf8))
}

func identity(_ name: String, _ directory: String) -> TLSConfiguration.Identity {
    .init(chain: "\(directory)/\(name).pem", key: "\(directory)/\(name).key")
}

func serverTLS() throws -> RPCServerTLS? {
    guard let certificates else { return nil }
    let trust = TLSConfiguration.Trust.file(certificates + "/ca.pem")
    return RPCServerTLS(
        source: try TLSContextSource(.server(identity: identity("scheduler", certificates), clientTrust: trust))
    )
}

func clientTLS() throws -> RPCClientTLS? {
    guard let certificates else { return nil }
    let trust = TLSConfiguration.Trust.file(certificates + "/ca.pem")
    return RPCClientTLS(
        source: try TLSContextSource(.client(trust: trust, identity: identity("gateway", certificates))),
        serverIdentity: .uri("spiffe://backfill/scheduler")
    )
}

/// Runs clients of these ports for the time, every other one for streams, then waits for their calls to end.
func runClients(ports: [Int], rudePort: Int) async throws -> [Figures] {
    let clients = try ports.map { port in
        var configuration = RPCClientConfiguration(endpoints: [.init(host: "127.0.0.1", port: port)])
        configuration.tls = try clientTLS()
        return RPCClient(configuration: configuration, logger: quiet)
    }
    return await withTaskGroup(of: Void.self) { group in
        for client in clients { group.addTask { await client.run() } }
        let figures = await withTaskGroup(of: Void.self) { callers in
            for (number, client) in clients.enumerated() {
                let all = Callers(client: client, ledger: ledger)
                callers.addTask {
                    let ownSeed = seed + UInt64(number) * 1_000
                    if number % 2 == 0 {
                        await all.runCalls(seed: ownSeed)
                    } else {
                        await all.runStreams(seed: ownSeed)
                    }
                }
            }
            callers.addTask { await RudePeers(port: rudePort, ledger: ledger).run(seed: seed) }
            let figures = await watch()
            callers.cancelAll()
            return figures
        }
        group.cancelAll()
        return figures
    }
}

/// Says each ten seconds how it goes.
func watch() async -> [Figures] {
    var figures: [Figures] = []
    for second in 1...seconds {
        try? await Task.sleep(for: .seconds(1))
        figures.append(.now())
        guard second % 10 == 0 || second == seconds, let last = figures.last else { continue }
        say("\(second) s: \(ledger.counts["calls answered"] ?? 0) calls, \(last)")
    }
    return figures
}

say("seed \(seed), \(certificates == nil ? "plaintext" : "TLS")")
let proxyGroup = MultiThreadedEventLoopGroup(numberOfThreads: 1)
let (addresses, sink) = AsyncStream.makeStream(of: SocketAddress.self)
let server = RPCServer(
    configuration: RPCServerConfiguration(tls: try serverTLS()),
    router: SoakService.router(ledger),
    logger: quiet
) { sink.yield($0) }
let descriptorsBefore = Figures.now().descriptors
let figures = try await withThrowingTaskGroup(of: Void.self) { group in
    group.addTask { try await server.run() }
    var bound = addresses.makeAsyncIterator()
    guard let port = await bound.next()?.port else { fatalError("the server did not start") }
    let proxy = try await ChaosProxy.start(to: port, on: proxyGroup, seed: seed) { ledger.count("resets") }
    let figures = try await runClients(ports: [proxy.port, proxy.port, port, port], rudePort: port)
    try await proxy.listener.close().get()
    group.cancelAll()
    while let ended = await group.nextResult() {
        if case .failure(let error) = ended, !(error is CancellationError) { throw error }
    }
    return figures
}
try await proxyGroup.shutdownGracefully()

var findings = ledger.close()
let fifth = max(1, figures.count / 5)
let growth = medianMiB(figures.suffix(fifth)) - medianMiB(figures.dropFirst(fifth).prefix(fifth))
if growth > allowedMiB { findings.append("memory grew by \(Int(growth)) MiB") }
let descriptorsAfter = Figures.now().descriptors
// The process-wide event loops open theirs at the first use.
let ownDescriptors = 3 * System.coreCount + 8
if descriptorsAfter > descriptorsBefore + ownDescriptors {
    findings.append("\(descriptorsAfter) descriptors are open, \(descriptorsBefore) were before")
}
for (what, number) in ledger.counts.sorted(by: { $0.key < $1.key }) { say("\(what): \(number)") }
say(
    "memory: \(growth >= 0 ? "+" : "")\(Int(growth)) MiB; descriptors: \(descriptorsBefore), \(descriptorsAfter) at the end"
)
for finding in findings.prefix(20) { say("FINDING: \(finding)") }
say(findings.isEmpty ? "no finding" : "\(findings.count) findings; seed \(seed)")
exit(findings.isEmpty ? 0 : 1)
