import Hummingbird
import HummingbirdCore
public import Logging
import NIOCore
import ProtoRPC
import ProtoTLS
public import ServiceLifecycle
import Settings
import WatchedFiles

/// The gateway as one service: serves the REST API and passes requests to schedulers until shutdown.
public struct GatewayApplication: Service {
    /// The version that `--version` tells.
    public static let version = "0.1.0"

    private let configuration: GatewayConfiguration
    private let logger: Logger
    private let onListening: @Sendable (_ host: String, _ port: Int) -> Void

    /// Makes a gateway; `run()` starts it.
    ///
    /// - Parameters:
    ///   - configuration: addresses and limits.
    ///   - logger: gets a line a request at level info, never payloads.
    ///   - onListening: called once it really serves, with the bound address. No scheduler need answer by then.
    public init(
        configuration: GatewayConfiguration,
        logger: Logger,
        onListening: @escaping @Sendable (_ host: String, _ port: Int) -> Void
    ) {
        self.configuration = configuration
        self.logger = logger
        self.onListening = onListening
    }

    /// Serves until graceful shutdown or cancellation.
    ///
    /// On graceful shutdown it accepts no more connections and lets requests under way end within the drain timeout.
    ///
    /// - Throws: `TLSError` when the certificates cannot be used; what binding the address throws.
    public func run() async throws {
        var clientConfiguration = RPCClientConfiguration(endpoints: self.configuration.schedulers)
        clientConfiguration.drainTimeout = self.configuration.drainTimeout
        // What one scheduler refuses because another has it is asked of each.
        let attempts = max(self.configuration.retries.maximumAttempts, self.configuration.schedulers.count)
        clientConfiguration.retries = self.configuration.retries
        clientConfiguration.retries.maximumAttempts = attempts
        clientConfiguration.controlConnections = self.configuration.schedulerConnections
        clientConfiguration.keepAlive = self.configuration.keepAlive
        clientConfiguration.socketTimes = self.configuration.socketTimes
        let https = try self.configuration.tls.map { try TLSContextSource($0) }
        let toSchedulers = try self.configuration.schedulerTLS.map { try TLSContextSource($0) }
        clientConfiguration.tls = toSchedulers.map {
            RPCClientTLS(source: $0, serverIdentity: self.configuration.schedulerIdentity)
        }
        let client = RPCClient(configuration: clientConfiguration, logger: self.logger)
        let models = ModelDirectory(client: client, schedulers: self.configuration.schedulers, logger: self.logger)
        let janitor = UploadJanitor(logger: self.logger)
        // Stopped in reverse: each goes on until those that need it have ended.
        let reloader = TLSReloader(sources: [https, toSchedulers].compactMap(\.self), logger: self.logger)
        let files: [(any WatchedContent)?] = [self.configuration.keys, self.configuration.limits]
        let fileReloader = FileReloader(files: files.compactMap(\.self), logger: self.logger)
        let auditFile = self.configuration.auditLog.map { AuditFile(path: $0, logger: self.logger) }
        let server = self.server(
            client: client,
            models: models,
            janitor: janitor,
            audit: self.auditLog(auditFile),
            tls: https
        )
        let services: [any Service] =
            [reloader, fileReloader, client, models, janitor] + [auditFile].compactMap(\.self) + [server]
        var configuration = ServiceGroupConfiguration(services: services, logger: self.logger)
        configuration.maximumGracefulShutdownDuration = self.configuration.drainTimeout
        try await ServiceGroup(configuration: configuration).run()
    }

    private func auditLog(_ file: AuditFile?) -> AuditLog {
        if let file { return .file(file) }
        return self.configuration.keys == nil ? .off : .log(Logger(label: AuditLog.label))
    }

    private func server(
        client: RPCClient,
        models: ModelDirectory,
        janitor: UploadJanitor,
        audit: AuditLog,
        tls: TLSContextSource?
    ) -> any Service {
        let accessLog = AccessLog(logger: self.logger)
        let limits = self.configuration.http
        let (host, port) = (self.configuration.listen.host, self.configuration.listen.port)
        let onListening = self.onListening
        let budget = TransferBudget()
        let handlers = GatewayHandlers(
            client: client,
            budget: budget,
            janitor: janitor,
            logger: self.logger
        )
        let keys = KeyCheck(keys: self.configuration.keys)
        let checks = RequestChecks(keys: keys, rates: RateLimiter(limits: self.configuration.limits))
        let online = OnlineService(
            client: client,
            models: models,
            checks: checks,
            budget: BodyBudget(maximumBytes: self.configuration.maximumHeldBodyBytes),
            requestTimeout: self.configuration.requestTimeout,
            keepAlive: self.configuration.streamKeepAlive,
            accessLog: accessLog
        )
        return Application(
            responder: GatewayResponder(
                handlers: handlers,
                checks: checks,
                audit: audit,
                accessLog: accessLog
            ),
            server: HTTPServerBuilder { responder in
                GatewayHTTPChannel(
                    responder: responder,
                    limits: limits,
                    keys: keys,
                    accessLog: accessLog,
                    online: online,
                    tls: tls,
                    budget: budget
                )
            },
            configuration: ApplicationConfiguration(
                address: .hostname(host, port: port),
                availableConnectionsDelegate: .maximum(limits.maximumConnections, logger: self.logger)
            ),
            onServerRunning: { channel in
                onListening(channel.localAddress?.ipAddress ?? host, channel.localAddress?.port ?? port)
            },
            logger: self.logger
        )
    }
}
