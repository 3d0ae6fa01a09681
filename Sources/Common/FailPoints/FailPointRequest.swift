#if DEBUG
    import Glibc
    import Synchronization

    /// What `BACKFILL_FAIL_POINT` asks for.
    @usableFromInline
    package final class FailPointRequest: Sendable {
        /// The variable of the environment.
        package static let variable = "BACKFILL_FAIL_POINT"

        @usableFromInline static let ofProcess = getenv(FailPointRequest.variable).map { text in
            guard let request = FailPointRequest(String(cString: text)) else {
                FailPointRequest.tell("\(FailPointRequest.variable): give NAME:COUNT, such as store.after_rename:3\n")
                exit(EX_USAGE)
            }
            return request
        }

        private let name: String
        private let count: Int
        private let reached = Atomic<Int>(0)

        /// Reads `NAME:COUNT`; nil when the text is something else.
        package init?(_ text: String) {
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty, let count = Int(parts[1]), count > 0 else { return nil }
            self.name = String(parts[0])
            self.count = count
        }

        @usableFromInline
        func reach(_ name: StaticString) {
            guard self.isDue(at: name) else { return }
            Self.tell("fail point \(name)\n")
            kill(getpid(), SIGKILL)
        }

        private static func tell(_ text: String) {
            _ = Array(text.utf8).withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
        }

        /// Counts; whether this is the time that was asked for.
        package func isDue(at name: StaticString) -> Bool {
            guard self.name == "any" || self.name == name.description else { return false }
            return self.reached.add(1, ordering: .relaxed).newValue == self.count
        }
    }
#endif
