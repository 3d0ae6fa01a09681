import ProtoRPC
import Settings
import Testing

@testable import SchedulerService

@Suite struct RPCLimitSettingsTests {
    private func limits(_ arguments: String...) throws -> RPCServerLimits {
        try self.configuration(arguments).rpcLimits
    }

    private func configuration(_ arguments: [String]) throws -> SchedulerConfiguration {
        let values = try SchedulerSettings.schema.read(
            arguments: ["--data", "d"] + arguments,
            environment: [:],
            readFile: { _ throws(SettingsError) in "" }
        )
        return try SchedulerConfiguration(values)
    }

    @Test("G6-11 the defaults of the settings are those of the server")
    func defaults() throws {
        #expect(try self.limits() == RPCServerLimits())
    }

    @Test("G6-11 each setting reaches the server")
    func each() throws {
        var expected = RPCServerLimits()
        expected.maximumConnections = 1
        expected.maximumStreams = 2
        expected.maximumMetadataPairs = 5
        expected.maximumMetadataBytes = 2_048
        expected.maximumNameBytes = 100
        expected.maximumQueuedBytes = 2 << 20
        expected.handshakeTimeout = .seconds(4)
        expected.headerTimeout = .seconds(3)
        expected.minimumBodyBytesPerSecond = 0
        expected.missedPings = 7
        expected.socketTimes.unacknowledged = .milliseconds(1_500)
        expected.socketTimes.silence = .seconds(8)
        expected.socketTimes.probeInterval = .seconds(9)
        let read = try self.limits(
            "--rpc-connections",
            "1",
            "--rpc-streams",
            "2",
            "--rpc-metadata-pairs",
            "5",
            "--rpc-metadata-bytes",
            "2048",
            "--rpc-name-bytes",
            "100",
            "--rpc-queued-bytes",
            "2097152",
            "--rpc-header-timeout",
            "3s",
            "--rpc-handshake-timeout",
            "4s",
            "--rpc-body-rate",
            "0",
            "--rpc-missed-pings",
            "7",
            "--rpc-unacknowledged-timeout",
            "1500ms",
            "--rpc-probe-after",
            "8s",
            "--rpc-probe-interval",
            "9s"
        )
        #expect(read == expected)
    }

    @Test("G6-05 the times of a drain reach the server, and are its own unless set")
    func drain() throws {
        let standard = try self.configuration([])
        #expect(standard.rpcDrainTimeout == RPCServerConfiguration().drainTimeout)
        #expect(standard.rpcDrainNoticeTimeout == RPCServerConfiguration().drainNoticeTimeout)
        let set = try self.configuration(["--rpc-drain-timeout", "1m", "--rpc-drain-notice-timeout", "20ms"])
        #expect(set.rpcDrainTimeout == .seconds(60))
        #expect(set.rpcDrainNoticeTimeout == .milliseconds(20))
    }

    @Test("G6-11 a limit that would shut everybody out is refused", arguments: ["--rpc-connections", "--rpc-streams"])
    func nobody(_ name: String) {
        #expect(throws: SettingsError.self) { try self.limits(name, "0") }
    }
}
