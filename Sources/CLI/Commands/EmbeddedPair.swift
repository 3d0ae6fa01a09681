import EngineSimulator
import Foundation
import GatewayServer
import Logging
import ProtoRPC
import SchedulerEngines
import SchedulerService
import ServiceLifecycle
import Settings

/// A scheduler and a gateway in this process, and an engine when none is given.
struct EmbeddedPair {
    let dataDirectory: String
    let engines: [EngineAddress]
    let concurrency: Int

    /// Runs the services while `body` talks to the gateway.
    func run<Result: Sendable>(_ body: @escaping @Sendable (_ gatewayURL: String) async throws -> Result) async throws
        -> Result
    {
        try await withThrowingTaskGroup(of: Result?.self) { group in
            var engines = self.engines
            if engines.isEmpty {
                let address = try await self.start(&group) { onListening in
                    EngineSimulator(
                        configuration: SimulatorConfiguration(),
                        logger: Self.logger,
                        onListening: onListening
                    )
                }
                engines = [EngineAddress(url: "http://\(address)")]
            }
            var scheduler = SchedulerConfiguration(dataDirectory: self.dataDirectory)
            scheduler.engines = engines
            scheduler.engineConcurrency = self.concurrency
            let schedulerAddress = try await self.start(&group) { [scheduler] onListening in
                SchedulerApplication(configuration: scheduler, logger: Self.logger) { host, port in
                    onListening(ListenAddress(host: host, port: port))
                }
            }
            let gateway = GatewayConfiguration(
                listen: ListenAddress(host: "127.0.0.1", port: 0),
                schedulers: [RPCClient.Endpoint(host: schedulerAddress.host, port: schedulerAddress.port)]
            )
            let gatewayAddress = try await self.start(&group) { onListening in
                GatewayApplication(configuration: gateway, logger: Self.logger) { host, port in
                    onListening(ListenAddress(host: host, port: port))
                }
            }
            group.addTask { try await body("http://\(gatewayAddress)") }
            while let result = try await group.next() {
                guard let result else { continue }
                group.cancelAll()
                return result
            }
            throw ToolError.gateway("the embedded services ended early")
        }
    }

    /// Starts a service and waits until it listens.
    private func start<Result>(
        _ group: inout ThrowingTaskGroup<Result?, any Error>,
        _ make: (@escaping @Sendable (ListenAddress) -> Void) -> any Service
    ) async throws -> ListenAddress {
        let (addresses, continuation) = AsyncStream<ListenAddress>.makeStream()
        let service = make { continuation.yield($0) }
        group.addTask {
            defer { continuation.finish() }
            try await service.run()
            return nil
        }
        for await address in addresses { return address }
        // It ended before it listened: its error is the group's.
        _ = try await group.next()
        throw ToolError.gateway("an embedded service ended early")
    }

    private static var logger: Logger {
        var logger = Logger(label: "backfill") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .warning
        return logger
    }
}
