// swift-tools-version: 6.2
import PackageDescription

// Fuzz targets over the sources of Sources/Proto and Sources/Common/CurlHTTP, which are linked here: a package of its own,
// since its build is instrumented, and without sockets, so that it builds in a fraction of the time.

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]
let buffers = Target.Dependency.product(name: "NIOCore", package: "swift-nio")

func module(_ name: String, _ path: String, _ dependencies: [Target.Dependency], sources: [String]? = nil) -> Target {
    .target(name: name, dependencies: dependencies, path: "Sources/\(path)", sources: sources, swiftSettings: settings)
}

/// What of the RPC is pure.
let pureSources = [
    "Common/RPCError.swift", "Common/RPCStatus.swift", "Server/RPCMetadata.swift", "Common/TimeAmount+Clamping.swift",
    "Common/StreamAlarm.swift", "Common/StreamTable.swift",
    "Envelope", "Server/RefusedStreams.swift", "Server/ServerConnection+StateMachine.swift",
    "Server/StreamIDWindow.swift", "Streams/ServerStream+StateMachine.swift", "Streams/StreamInbox.swift",
    "Streams/StreamKind.swift",
]

/// What of the HTTP client reads an answer.
let answerSources = [
    "HTTPResponse.swift", "HTTP1/ChunkedBody.swift", "HTTP1/MalformedResponse.swift", "HTTP1/ResponseHead.swift",
    "HTTP1/ResponseParser.swift",
]

let package = Package(
    name: "fuzz",
    dependencies: [.package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2")],
    targets: [
        .systemLibrary(name: "CProtobufC", path: "Sources/CProtobufC", pkgConfig: "libprotobuf-c"),
        .target(name: "ProtoGenerated", dependencies: ["CProtobufC"], path: "Sources/Proto/Generated"),
        module("ProtoMessages", "Proto/Messages", ["ProtoGenerated", buffers]),
        module("ProtoFraming", "Proto/Framing", [buffers]),
        module("ProtoRPC", "Proto/RPC", ["ProtoMessages", "ProtoFraming", buffers], sources: pureSources),
        module("CurlHTTP", "CurlHTTP", [], sources: answerSources),
        .executableTarget(
            name: "fuzz",
            dependencies: ["ProtoGenerated", "ProtoMessages", "ProtoFraming", "ProtoRPC", "CurlHTTP", buffers],
            path: "Sources/Fuzz",
            swiftSettings: settings
        ),
    ]
)
