import EngineSimulator
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

    /// Runs the services while `body` talks to the gateway, and shuts them down gracefully when it has ended.
    ///
    /// - Throws: what `body` throws, or the service that failed first.
    func run<Result: Sendable>(_ body: @escaping @Sendable (_ gatewayURL: String) async throws -> Result) async throws
        -> Result
    {
        let simulated = self.engines.isEmpty ? Listening() : nil
        let scheduler = Listening()
        let gateway = Listening()
        let (results, continuation) = AsyncStream<Result>.makeStream()
        let work = EmbeddedService {
            continuation.yield(try await body("http://\(try await gateway.address)"))
        }
        // Shut down in reverse: each goes on until those that need it have ended.
        var services = simulated.map { [self.engine($0)] } ?? []
        services += [self.scheduler(scheduler, simulated), self.gateway(gateway, scheduler)]
        var configuration = ServiceGroupConfiguration(services: services, logger: Self.logger)
        configuration.services.append(
            ServiceGroupConfiguration.ServiceConfiguration(
                service: work,
                successTerminationBehavior: .gracefullyShutdownGroup,
                failureTerminationBehavior: .gracefullyShutdownGroup
            )
        )
        let group = ServiceGroup(configuration: configuration)
        do {
            try await group.run()
        } catch is ServiceGroupError {
            // One of them ended by itself.
        }
        continuation.finish()
        for await result in results { return result }
        throw ToolError.gateway("the embedded services ended early")
    }

    private func engine(_ listening: Listening) -> EmbeddedService {
        EmbeddedService {
            try await EngineSimulator(
                configuration: SimulatorConfiguration(),
                logger: Self.logger,
                onListening: listening.tell
            )
            .run()
        }
    }

    private func scheduler(_ listening: Listening, _ simulated: Listening?) -> EmbeddedService {
        EmbeddedService {
            var configuration = SchedulerConfiguration(dataDirectory: self.dataDirectory)
            configuration.engines = self.engines
            if let simulated { configuration.engines = [EngineAddress(url: "http://\(try await simulated.address)")] }
            configuration.engineConcurrency = self.concurrency
            try await SchedulerApplication(configuration: configuration, logger: Self.logger) { host, port in
                listening.tell(ListenAddress(host: host, port: port))
            }
            .run()
        }
    }

    private func gateway(_ listening: Listening, _ scheduler: Listening) -> EmbeddedService {
        EmbeddedService {
            let address = try await scheduler.address
            let configuration = GatewayConfiguration(
                listen: ListenAddress(host: "127.0.0.1", port: 0),
                schedulers: [RPCClient.Endpoint(host: address.host, port: address.port)]
            )
            try await GatewayApplication(configuration: configuration, logger: Self.logger) { host, port in
                listening.tell(ListenAddress(host: host, port: port))
            }
            .run()
        }
    }

    private static var logger: Logger {
        var logger = Logger(label: "backfill") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .warning
        return logger
    }
}

/// A service that is made when what it needs is known.
private struct EmbeddedService: Service {
    let body: @Sendable () async throws -> Void

    func run() async throws { try await self.body() }
}

/// Where a service listens, for the one that waits for it.
private struct Listening: Sendable {
    private let addresses: AsyncStream<ListenAddress>
    private let continuation: AsyncStream<ListenAddress>.Continuation

    init() {
        (self.addresses, self.continuation) = AsyncStream.makeStream()
    }

    func tell(_ address: ListenAddress) {
        self.continuation.yield(address)
    }

    /// The address, once it is told; for one caller.
    ///
    /// - Throws: `CancellationError` when the services end before that.
    var address: ListenAddress {
        get async throws {
            for await address in self.addresses { return address }
            throw CancellationError()
        }
    }
}
