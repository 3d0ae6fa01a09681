import SchedulerService
import ServiceLifecycle
import Settings
import UnixSignals

ProgramStart.limitMemoryArenas()
ProgramStart.raiseFileLimit()
let settings = ProgramStart.settings(SchedulerSettings.schema)
let logger = ProgramStart.logger(SchedulerSettings.schema.program, settings)
let configuration: SchedulerConfiguration
do throws(SettingsError) {
    configuration = try SchedulerConfiguration(settings)
} catch {
    ProgramStart.end(error, program: SchedulerSettings.schema.program)
}
let application = SchedulerApplication(configuration: configuration, logger: logger) { host, port in
    ProgramStart.announceListening(ListenAddress(host: host, port: port))
}
let group = ServiceGroup(
    services: [application],
    gracefulShutdownSignals: [.sigterm, .sigint],
    logger: logger
)
do {
    try await group.run()
} catch {
    ProgramStart.end(after: error, logger: logger)
}
