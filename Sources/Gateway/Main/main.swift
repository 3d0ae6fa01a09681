import GatewayServer
import ServiceLifecycle
import Settings
import UnixSignals

ProgramStart.limitMemoryArenas()
ProgramStart.raiseFileLimit()
let settings = ProgramStart.settings(GatewaySettings.schema)
let logger = ProgramStart.logger(GatewaySettings.schema.program, settings)
let configuration: GatewayConfiguration
do throws(SettingsError) {
    configuration = try GatewayConfiguration(settings)
} catch {
    ProgramStart.end(error, program: GatewaySettings.schema.program)
}
let application = GatewayApplication(configuration: configuration, logger: logger) { host, port in
    ProgramStart.announceListening(ListenAddress(host: host, port: port))
}
let group = ServiceGroup(
    services: [application],
    gracefulShutdownSignals: [.sigterm, .sigint],
    logger: logger
)
try await group.run()
