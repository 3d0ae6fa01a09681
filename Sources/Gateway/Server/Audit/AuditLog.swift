import GatewayAPI
import Logging

/// Where audit entries go: the program's log under a label of its own, or a file.
enum AuditLog: Sendable {
    /// Nowhere: there are no keys, and so nobody to name.
    case off
    /// The log.
    case log(Logger)
    /// A file of JSON lines.
    case file(AuditFile)

    /// The label of audit entries in the log.
    static let label = "backfill-gateway.audit"

    /// Takes note of an entry; returns at once.
    func write(_ entry: AuditEntry) {
        switch self {
        case .off: return
        case .file(let file): file.write(entry)
        case .log(let logger):
            var metadata: Logger.Metadata = [:]
            for (name, value) in entry.fields {
                switch value {
                case .string(let text): metadata[name] = "\(text)"
                case .integer(let number): metadata[name] = "\(number)"
                default: continue
                }
            }
            logger.info("change", metadata: metadata)
        }
    }
}
