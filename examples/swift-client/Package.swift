// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "swift-client",
    // Elsewhere: .package(url: "...", from: "...").
    dependencies: [.package(name: "backfill", path: "../..")],
    targets: [
        .executableTarget(
            name: "run-batch",
            dependencies: [.product(name: "BackfillClient", package: "backfill")],
            swiftSettings: [
                .enableUpcomingFeature("ExistentialAny"),
                .enableUpcomingFeature("MemberImportVisibility"),
                .enableUpcomingFeature("InternalImportsByDefault"),
                .treatAllWarnings(as: .error),
            ]
        )
    ]
)
