// swift-tools-version: 6.2
import PackageDescription

let commonSettings: [SwiftSetting] = [
    // https://github.com/swiftlang/swift-evolution/blob/main/proposals/0335-existential-any.md
    .enableUpcomingFeature("ExistentialAny"),
    // https://github.com/swiftlang/swift-evolution/blob/main/proposals/0444-member-import-visibility.md
    .enableUpcomingFeature("MemberImportVisibility"),
    // https://github.com/swiftlang/swift-evolution/blob/main/proposals/0409-access-level-on-imports.md
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

extension Target.Dependency {
    static let argumentParser = product(name: "ArgumentParser", package: "swift-argument-parser")
    static let deque = product(name: "DequeModule", package: "swift-collections")
    static let grdb = product(name: "GRDB", package: "GRDB.swift")
    static let hummingbird = product(name: "Hummingbird", package: "hummingbird")
    static let hummingbirdCore = product(name: "HummingbirdCore", package: "hummingbird")
    static let httpTypes = product(name: "HTTPTypes", package: "swift-http-types")
    static let lifecycle = product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
    static let signals = product(name: "UnixSignals", package: "swift-service-lifecycle")
    static let logging = product(name: "Logging", package: "swift-log")
    static let inMemoryLogging = product(name: "InMemoryLogging", package: "swift-log")
    static let nioCore = product(name: "NIOCore", package: "swift-nio")
    static let nioPosix = product(name: "NIOPosix", package: "swift-nio")
    static let nioHTTP1 = product(name: "NIOHTTP1", package: "swift-nio")
    static let nioEmbedded = product(name: "NIOEmbedded", package: "swift-nio")
    static let yams = product(name: "Yams", package: "Yams")
}

extension Target {
    static func module(_ name: String, _ path: String, _ dependencies: [Target.Dependency]) -> Target {
        .target(name: name, dependencies: dependencies, path: "Sources/\(path)", swiftSettings: commonSettings)
    }

    static func program(_ name: String, _ path: String, _ dependencies: [Target.Dependency]) -> Target {
        .executableTarget(
            name: name,
            dependencies: dependencies,
            path: "Sources/\(path)",
            swiftSettings: commonSettings
        )
    }

    static func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
        .testTarget(
            name: name,
            dependencies: dependencies,
            path: "Tests/\(name)",
            exclude: exclude,
            swiftSettings: commonSettings
        )
    }
}

let package = Package(
    name: "backfill",
    products: [
        .executable(name: "backfill", targets: ["backfill"]),
        .executable(name: "backfill-scheduler", targets: ["backfill-scheduler"]),
        .executable(name: "backfill-gateway", targets: ["backfill-gateway"]),
        .executable(name: "backfill-engine-simulator", targets: ["backfill-engine-simulator"]),
        // What an internal service needs to speak to a scheduler.
        .library(name: "BackfillClient", targets: ["BackfillClient"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections.git", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-http-types.git", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
        .package(url: "https://github.com/groue/GRDB.swift.git", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird.git", from: "2.28.1", traits: []),
        .package(url: "https://github.com/jpsim/Yams.git", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
    ],
    targets: [
        // One tiny target per C library.
        .systemLibrary(name: "CProtobufC", path: "Sources/System/CProtobufC", pkgConfig: "libprotobuf-c"),
        .systemLibrary(name: "CCRC32C", path: "Sources/System/CCRC32C"),
        .systemLibrary(name: "CEpoll", path: "Sources/System/CEpoll"),
        .systemLibrary(name: "CMalloc", path: "Sources/System/CMalloc"),
        .systemLibrary(name: "CCurl", path: "Sources/System/CCurl", pkgConfig: "libcurl"),
        .systemLibrary(name: "COpenSSL", path: "Sources/System/COpenSSL", pkgConfig: "openssl"),

        // What several programs share.
        .module("Checksum", "Common/Checksum", ["CCRC32C"]),
        .module("FailPoints", "Common/FailPoints", []),
        .module("CurlHTTP", "Common/CurlHTTP", ["CCurl", "CEpoll", "COpenSSL"]),
        .module("JSONSpans", "Common/JSONSpans", []),
        .module("Settings", "Common/Settings", ["CMalloc", "FailPoints", .logging, .yams]),
        .module("TenantLimits", "Common/TenantLimits", ["Settings"]),
        .module("WatchedFiles", "Common/WatchedFiles", ["Settings", .nioPosix, .logging, .lifecycle]),

        // The wire: generated C, Swift values over it, frames, calls.
        .target(name: "ProtoGenerated", dependencies: ["CProtobufC"], path: "Sources/Proto/Generated"),
        .module("ProtoMessages", "Proto/Messages", ["ProtoGenerated", .nioCore]),
        .module("ProtoFraming", "Proto/Framing", [.nioCore]),
        .module("ProtoTLS", "Proto/TLS", ["COpenSSL", .nioCore, .nioPosix, .logging, .lifecycle]),
        .module(
            "ProtoRPC",
            "Proto/RPC",
            ["FailPoints", "ProtoMessages", "ProtoFraming", "ProtoTLS", .nioCore, .nioPosix, .logging, .lifecycle]
        ),

        // One import for internal services that call a scheduler.
        .module(
            "BackfillClient",
            "Client",
            ["Checksum", "ProtoMessages", "ProtoRPC", "ProtoTLS", .nioCore, .logging, .lifecycle]
        ),

        // The scheduler, from its pure core outwards.
        .module("SchedulerCore", "Scheduler/Core", ["Checksum", "JSONSpans", .deque]),
        .module("SchedulerStores", "Scheduler/Stores", ["SchedulerCore", "Checksum", "FailPoints", .grdb]),
        .module("SchedulerEngines", "Scheduler/Engines", ["SchedulerCore", "CurlHTTP", "JSONSpans"]),
        .module("SchedulerDrivers", "Scheduler/Drivers", ["SchedulerEngines"]),
        .module(
            "SchedulerService",
            "Scheduler/Service",
            [
                "SchedulerCore", "SchedulerStores", "SchedulerEngines", "SchedulerDrivers", "ProtoRPC", "ProtoMessages",
                "ProtoTLS", "Checksum", "CurlHTTP", "COpenSSL", "FailPoints", "Settings", "TenantLimits",
                "WatchedFiles", .nioCore, .nioPosix, .logging, .lifecycle,
            ]
        ),
        .program("backfill-scheduler", "Scheduler/Main", ["SchedulerService", "Settings", .lifecycle, .signals]),

        // The gateway: REST as values, then the server.
        .module("GatewayAPI", "Gateway/API", ["ProtoMessages", "JSONSpans", .nioCore]),
        // Whose request it is and how much it may ask for, as values.
        .module("GatewayAccess", "Gateway/Access", ["GatewayAPI", "Settings", "TenantLimits", "COpenSSL"]),
        .module(
            "GatewayServer",
            "Gateway/Server",
            [
                "GatewayAPI", "GatewayAccess", "ProtoMessages", "ProtoRPC", "ProtoTLS", "Checksum", "Settings",
                "TenantLimits", "WatchedFiles", .nioCore, .nioPosix, .nioHTTP1, .hummingbird, .hummingbirdCore,
                .httpTypes, .logging, .lifecycle,
            ]
        ),
        .program("backfill-gateway", "Gateway/Main", ["GatewayServer", "Settings", .lifecycle, .signals]),

        // An engine without a model.
        .module(
            "EngineSimulator",
            "EngineSimulator/Simulator",
            ["JSONSpans", "Settings", .nioCore, .nioPosix, .nioHTTP1, .logging, .lifecycle]
        ),
        .program(
            "backfill-engine-simulator",
            "EngineSimulator/Main",
            ["EngineSimulator", "Settings", .lifecycle, .signals]
        ),

        // The command line tool, which embeds all of the above.
        .module(
            "CommandLineTool",
            "CLI/Commands",
            [
                "CurlHTTP", "EngineSimulator", "GatewayAccess", "GatewayServer", "ProtoRPC", "SchedulerEngines",
                "SchedulerService", "Settings", .argumentParser, .lifecycle, .logging, .signals,
            ]
        ),
        .program("backfill", "CLI/Main", ["CommandLineTool", .argumentParser]),

        .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: commonSettings),
        .target(
            name: "TLSTestSupport",
            dependencies: ["TestSupport", "ProtoTLS"],
            path: "Tests/TLSTestSupport",
            swiftSettings: commonSettings
        ),
        .target(
            name: "StoresTestSupport",
            dependencies: ["SchedulerStores"],
            path: "Tests/StoresTestSupport",
            swiftSettings: commonSettings
        ),
        // The wire under resets, rude peers and cancels.
        .executableTarget(
            name: "wire-soak",
            dependencies: [
                "TestSupport", "ProtoRPC", "ProtoTLS", "ProtoMessages", .nioCore, .nioPosix, .logging,
            ],
            path: "Tests/WireSoak",
            swiftSettings: commonSettings
        ),
        // Streams of all kinds with a peer in Go.
        .executableTarget(
            name: "stream-peer",
            dependencies: ["ProtoRPC", "ProtoMessages", .nioCore, .logging],
            path: "Tests/StreamPeer",
            swiftSettings: commonSettings
        ),
        // Whole schedulers under one seed; an executable, since it is only fast enough in release.
        .executableTarget(
            name: "simulation",
            dependencies: [
                "TestSupport", "SchedulerService", "SchedulerCore", "SchedulerStores", "SchedulerEngines", "CurlHTTP",
                "ProtoRPC", "ProtoMessages", "Checksum", .deque, .nioCore, .logging,
            ],
            path: "Tests/Simulation",
            swiftSettings: commonSettings
        ),
        // One folder of tests a target; whole programs are tested by Tests/EndToEnd.
        .tests("ArchitectureTests", []),
        .tests("ChecksumTests", ["TestSupport", "Checksum"]),
        .tests("JSONSpansTests", ["TestSupport", "JSONSpans"]),
        .tests("SettingsTests", ["Settings"]),
        .tests("TenantLimitsTests", ["Settings", "TenantLimits"]),
        .tests("WatchedFilesTests", ["TestSupport", "Settings", "WatchedFiles", .logging, .lifecycle]),
        .tests(
            "CurlHTTPTests",
            [
                "TestSupport", "TLSTestSupport", "CurlHTTP", "CCurl", "COpenSSL", "EngineSimulator", "Settings",
                .nioCore, .nioHTTP1, .nioEmbedded, .logging,
            ]
        ),
        .tests("ProtoMessagesTests", ["TestSupport", "ProtoMessages", "ProtoGenerated", .nioCore]),
        .tests("ProtoFramingTests", ["TestSupport", "ProtoFraming", .nioCore]),
        .tests(
            "ProtoTLSTests",
            ["TestSupport", "TLSTestSupport", "ProtoTLS", .nioCore, .nioPosix, .nioEmbedded, .logging, .lifecycle]
        ),
        .tests(
            "ProtoRPCTests",
            [
                "TestSupport", "TLSTestSupport", "ProtoRPC", "ProtoTLS", "ProtoMessages", "ProtoFraming", .nioCore,
                .nioPosix, .nioEmbedded, .logging,
                .lifecycle,
            ]
        ),
        .tests("SchedulerCoreTests", ["TestSupport", "SchedulerCore"]),
        .tests(
            "SchedulerStoresTests",
            ["TestSupport", "StoresTestSupport", "SchedulerStores", "SchedulerCore", "Checksum", .grdb]
        ),
        .tests("GatewayAPITests", ["TestSupport", "GatewayAPI", .nioCore]),
        .tests(
            "GatewayServerTests",
            [
                "TestSupport", "GatewayServer", "GatewayAccess", "GatewayAPI", "ProtoMessages", "ProtoRPC", .nioCore,
                .nioEmbedded, .nioHTTP1, .logging, .inMemoryLogging,
            ]
        ),
        .tests("GatewayAccessTests", ["GatewayAccess", "GatewayAPI", "Settings", "TenantLimits"]),
        .tests("EngineSimulatorTests", ["EngineSimulator"]),
        .tests("CommandLineToolTests", ["CommandLineTool"]),
        .tests(
            "SchedulerServiceTests",
            [
                "TestSupport", "StoresTestSupport", "SchedulerService", "SchedulerCore", "SchedulerStores",
                "SchedulerEngines", "CurlHTTP", "GatewayServer", "EngineSimulator", "Settings", "Checksum",
                "ProtoMessages", "ProtoRPC", "ProtoTLS", .nioCore, .nioPosix, .logging, .inMemoryLogging,
            ]
        ),
    ]
)
