import CMalloc
import Foundation
public import Logging

/// What every program does when it starts.
public enum ProgramStart {
    /// Setting of the least important messages that are logged.
    public static let logLevel = SettingKey<Logger.Level>.value(
        "log-level",
        "LEVEL",
        "least important messages that are logged: trace, debug, info, notice, warning, error or critical",
        default: "notice"
    ) { (text) throws(SettingProblem) in
        guard let level = Logger.Level(rawValue: text) else {
            throw SettingProblem("give trace, debug, info, notice, warning, error or critical")
        }
        return level
    }

    /// Has all threads share four of glibc's arenas. By default there are up to eight a core, and a buffer freed in one is
    /// no help to another. With two, the threads of event loops and of the HTTP client wait for each other's allocations:
    /// a system call or two an online request.
    public static func limitMemoryArenas() {
        mallopt(M_ARENA_MAX, 4)
    }

    /// Lets the process have as many files and connections open as it may: what a shell gives by default is little.
    public static func raiseFileLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        // Without it the process goes on with fewer.
        _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    /// Reads the settings of this process; prints and exits when that is all it was asked for, or when it cannot.
    public static func settings(_ schema: SettingsSchema) -> SettingsValues {
        do throws(SettingsError) {
            return try schema.read(
                arguments: Array(CommandLine.arguments.dropFirst()),
                environment: ProcessInfo.processInfo.environment,
                readFile: Self.readFile
            )
        } catch {
            self.end(error, program: schema.program)
        }
    }

    /// Prints why the program does not go on, and exits.
    public static func end(_ error: SettingsError, program: String) -> Never {
        switch error {
        case .answered(let text):
            print(text, terminator: "")
            exit(EXIT_SUCCESS)
        case .refused(let text):
            FileHandle.standardError.write(Data("\(program): \(text)\n".utf8))
            exit(2)
        }
    }

    /// Logs why the program cannot go on, and exits with a failure, so that whoever started it starts it again.
    public static func end(after error: any Error, logger: Logger) -> Never {
        logger.critical("the program ends", metadata: ["error": "\(error)"])
        exit(EXIT_FAILURE)
    }

    /// A logger that writes to standard error.
    public static func logger(_ program: String, _ settings: SettingsValues) -> Logger {
        LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
        var logger = Logger(label: program)
        logger.logLevel = settings[Self.logLevel] ?? .notice
        return logger
    }

    /// Prints `listening HOST:PORT`, the first line on standard output, for whoever started the program.
    public static func announceListening(_ address: ListenAddress) {
        FileHandle.standardOutput.write(Data("listening \(address)\n".utf8))
    }

    /// The text of a file of at most `SettingsSchema.maximumFileBytes`.
    package static func readFile(_ path: String) throws(SettingsError) -> String {
        guard let handle = FileHandle(forReadingAtPath: path) else { throw .refused("cannot open \(path)") }
        let limit = SettingsSchema.maximumFileBytes
        let data: Data
        do {
            // nil: it is empty.
            data = try handle.read(upToCount: limit + 1) ?? Data()
        } catch {
            throw .refused("cannot read \(path)")
        }
        guard data.count <= limit else { throw .refused("\(path) is larger than \(limit) bytes") }
        guard let text = String(data: data, encoding: .utf8) else { throw .refused("\(path) is not UTF-8") }
        return text
    }
}
