/// Why the tool does not go on.
enum ToolError: Error, CustomStringConvertible {
    /// The command line or a file is at fault; exit code 2.
    case input(String)
    /// The gateway refused or could not be reached; exit code 1.
    case gateway(String)

    var description: String {
        switch self {
        case .input(let text), .gateway(let text): text
        }
    }
}
