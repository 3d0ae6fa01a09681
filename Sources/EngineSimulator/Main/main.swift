import EngineSimulator
import ServiceLifecycle
import Settings
import UnixSignals

let settings = ProgramStart.settings(SimulatorSettings.schema)
let logger = ProgramStart.logger(SimulatorSettings.schema.program, settings)
let configuration: SimulatorConfiguration
do throws(SettingsError) {
    configuration = try SimulatorConfiguration(settings)
} catch {
    ProgramStart.end(error, program: SimulatorSettings.schema.program)
}
let simulator = EngineSimulator(configuration: configuration, logger: logger) { address in
    ProgramStart.announceListening(address)
}
let group = ServiceGroup(
    services: [simulator],
    gracefulShutdownSignals: [.sigterm, .sigint],
    logger: logger
)
try await group.run()
