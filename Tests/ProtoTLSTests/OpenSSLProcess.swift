import Foundation
import Synchronization

/// A running `openssl` command, whose input and output a test holds.
final class OpenSSLProcess {
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private var text = Data()

    init(_ arguments: [String]) throws {
        self.process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        self.process.arguments = ["openssl"] + arguments
        self.process.standardInput = self.input
        self.process.standardOutput = self.output
        self.process.standardError = FileHandle.nullDevice
        // A child that inherits another's pipe keeps it open, so that its end is never seen.
        try Self.starting.withLock { _ in
            for pipe in [self.input, self.output] {
                for handle in [pipe.fileHandleForReading, pipe.fileHandleForWriting] {
                    _ = fcntl(handle.fileDescriptor, F_SETFD, FD_CLOEXEC)
                }
            }
            try self.process.run()
        }
    }

    private static let starting = Mutex(())

    deinit {
        if self.process.isRunning { self.process.terminate() }
    }

    func send(_ text: String) {
        try? self.input.fileHandleForWriting.write(contentsOf: Data(text.utf8))
    }

    /// Reads until a text comes; nil when the output ends before.
    func output(through end: String) -> String? {
        while true {
            if let range = self.text.range(of: Data(end.utf8)) {
                defer { self.text.removeSubrange(..<range.upperBound) }
                return String(decoding: self.text[..<range.upperBound], as: UTF8.self)
            }
            let more = self.output.fileHandleForReading.availableData
            guard !more.isEmpty else { return nil }
            self.text += more
        }
    }

    /// The port that a server has taken.
    func port() throws -> Int {
        struct NoPort: Error {}
        guard self.output(through: "ACCEPT 127.0.0.1:") != nil, let line = self.output(through: "\n"),
            let port = Int(line.trimmingCharacters(in: .whitespacesAndNewlines))
        else { throw NoPort() }
        return port
    }

    /// Ends the input, and waits for the exit status.
    func end() -> Int32 {
        try? self.input.fileHandleForWriting.close()
        while !self.output.fileHandleForReading.availableData.isEmpty {}
        self.process.waitUntilExit()
        return self.process.terminationStatus
    }

    /// Without a chance to say goodbye.
    func kill() {
        Foundation.kill(self.process.processIdentifier, SIGKILL)
    }
}
