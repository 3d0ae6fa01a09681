// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that users of the library do not pull swift-nio-ssl.
let package = Package(
    name: "tls-benchmark",
    dependencies: [
        .package(name: "backfill", path: "../.."),
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.36.0"),
    ],
    targets: [
        .executableTarget(
            name: "TLSBenchmark",
            dependencies: [
                .product(name: "BackfillClient", package: "backfill"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            swiftSettings: [.treatAllWarnings(as: .error)]
        )
    ]
)
