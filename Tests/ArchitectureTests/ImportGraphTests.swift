import Foundation
import Testing

/// The layers of the architecture, which the package manager does not enforce: an undeclared import of a sibling builds.
struct ImportGraphTests {
    /// Modules of the system that a target may import besides what it declares.
    static let system: [String: Set<String>] = [
        "CurlHTTP": ["FoundationEssentials", "Glibc", "Synchronization"],
        "Settings": ["Foundation"],
        "WatchedFiles": ["Glibc", "Synchronization"],
        "FailPoints": ["Glibc", "Synchronization"],
        "SchedulerCore": ["Synchronization"],
        "SchedulerStores": ["Foundation", "Glibc", "Synchronization"],
        "SchedulerService": ["Glibc", "Synchronization"],
        "ProtoMessages": ["Glibc"],
        "ProtoRPC": ["Synchronization"],
        "ProtoTLS": ["Glibc", "Synchronization"],
        "GatewayAPI": ["FoundationEssentials", "Glibc", "Musl", "Darwin"],
        "GatewayAccess": ["FoundationEssentials"],
        "GatewayServer": ["Foundation", "FoundationEssentials", "Glibc", "Synchronization"],
        "EngineSimulator": ["Glibc", "Synchronization"],
        "CommandLineTool": ["Foundation", "Synchronization"],
    ]
    /// The pure targets and all that they may depend on.
    static let pure: [String: Set<String>] = [
        "Checksum": ["CCRC32C"], "JSONSpans": [], "SchedulerCore": ["Checksum", "JSONSpans", "DequeModule"],
        "ProtoFraming": ["NIOCore"], "GatewayAPI": ["ProtoMessages", "JSONSpans", "NIOCore"],
    ]

    let root: URL
    let targets: [Target]

    struct Target {
        var name: String
        var path: String
        var dependencies: Set<String>
    }

    init() throws {
        self.root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        self.targets = try Self.targets(in: self.root)
    }

    @Test func everyImportIsDeclared() throws {
        for target in self.targets {
            let allowed = target.dependencies.union(Self.system[target.name] ?? []).union([target.name])
            for (file, module) in try self.imports(of: target) where !allowed.contains(module) {
                Issue.record("\(file) imports \(module), which \(target.name) does not declare")
            }
        }
    }

    @Test func pureTargetsDependOnNothingElse() throws {
        for (name, allowed) in Self.pure {
            let target = try #require(self.targets.first { $0.name == name })
            #expect(target.dependencies.subtracting(allowed) == [], "\(name)")
        }
    }

    @Test func dependenciesPointInwards() {
        let layers = [
            ["Checksum", "FailPoints", "JSONSpans", "CurlHTTP", "Settings"], ["TenantLimits", "WatchedFiles"],
            ["ProtoMessages", "ProtoFraming", "ProtoTLS"], ["ProtoRPC"],
            ["SchedulerCore"], ["SchedulerStores", "SchedulerEngines"], ["SchedulerDrivers"], ["SchedulerService"],
        ]
        let rank = Dictionary(
            uniqueKeysWithValues: layers.enumerated().flatMap { rank, names in names.map { ($0, rank) } }
        )
        for target in self.targets {
            guard let own = rank[target.name] else { continue }
            for dependency in target.dependencies where (rank[dependency] ?? -1) > own {
                Issue.record("\(target.name) depends on \(dependency), which lies further out")
            }
        }
        for target in self.targets where target.name.hasPrefix("Gateway") {
            #expect(target.dependencies.allSatisfy { !$0.hasPrefix("Scheduler") }, "\(target.name)")
        }
    }

    @Test func noTargetsPathContainsAnothers() {
        for outer in self.targets {
            for inner in self.targets where inner.name != outer.name {
                #expect(!(inner.path + "/").hasPrefix(outer.path + "/"), "\(inner.path) lies in \(outer.path)")
            }
        }
    }

    @Test func filesStayShort() throws {
        for target in self.targets {
            for file in try self.files(of: target) {
                let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").count
                #expect(lines <= 500, "\(file.lastPathComponent) has \(lines) lines")
            }
        }
    }

    @Test func unsafeSharingIsExplained() throws {
        for target in self.targets {
            for file in try self.files(of: target) {
                let text = try String(contentsOf: file, encoding: .utf8)
                #expect(!text.contains("try!") && !text.contains(" as! "), "\(file.lastPathComponent)")
                #expect(
                    text.firstMatch(of: /\bTask(\.detached)? *\{/) == nil,
                    "\(file.lastPathComponent) has a bare Task"
                )
                let shared = text.matches(of: /@unchecked Sendable/).count
                let guards = text.matches(of: /\/\/.*\b[Gg]uard/).count
                #expect(shared <= guards, "\(file.lastPathComponent) shares without naming the guard")
            }
        }
    }

    private func imports(of target: Target) throws -> [(String, String)] {
        let pattern =
            /^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:public |package |internal |fileprivate |private )?import\s+(?:(?:struct|class|enum|protocol|func|var|let|typealias|actor)\s+)?(\w+)/
        return try self.files(of: target).flatMap { file in
            try String(contentsOf: file, encoding: .utf8).split(separator: "\n").compactMap { line in
                line.firstMatch(of: pattern).map { (file.lastPathComponent, String($0.1)) }
            }
        }
    }

    private func files(of target: Target) throws -> [URL] {
        let directory = self.root.appendingPathComponent(target.path)
        let names = FileManager.default.enumerator(atPath: directory.path)?.compactMap { $0 as? String } ?? []
        return names.filter { $0.hasSuffix(".swift") && !$0.hasPrefix("Generated/") }.sorted()
            .map { directory.appendingPathComponent($0) }
    }

    /// Reads the package's own description. It is asked for in a build folder of its own, since the usual one is locked
    /// while tests run.
    private static func targets(in root: URL) throws -> [Target] {
        struct Dump: Decodable {
            struct Target: Decodable {
                var name: String
                var type: String
                var path: String?
                var dependencies: [Dependency]
            }
            struct Dependency: Decodable {
                var product: [String?]?
                var byName: [ByName]?
                var name: String? { self.product?.first ?? self.byName?.first?.text ?? nil }

                enum CodingKeys: String, CodingKey { case product, byName }
                init(from decoder: any Decoder) throws {
                    let container = try decoder.container(keyedBy: CodingKeys.self)
                    self.product = try? container.decode([Loose].self, forKey: .product).map(\.text)
                    self.byName = try? container.decode([ByName].self, forKey: .byName)
                }
            }
            struct Loose: Decodable {
                var text: String?
                init(from decoder: any Decoder) throws {
                    self.text = try? decoder.singleValueContainer().decode(String.self)
                }
            }
            typealias ByName = Loose
            var targets: [Target]
        }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "swift", "package", "--package-path", root.path, "--scratch-path",
            NSTemporaryDirectory() + "backfill-describe", "dump-package",
        ]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return try JSONDecoder().decode(Dump.self, from: data).targets.filter {
            $0.path?.hasPrefix("Sources/") == true && $0.type != "system" && $0.name != "ProtoGenerated"
        }
        .map { Target(name: $0.name, path: $0.path ?? "", dependencies: Set($0.dependencies.compactMap(\.name))) }
    }
}
