import GatewayServer
import ProtoRPC
import Settings
import Testing

/// How a gateway is told to deal with its schedulers.
@Suite struct SchedulerLinkSettingsTests {
    private func read(_ arguments: String...) throws -> GatewayConfiguration {
        let values = try GatewaySettings.schema.read(arguments: arguments, environment: [:]) {
            (_) throws(SettingsError) in ""
        }
        return try GatewayConfiguration(values)
    }

    @Test("G6-04 G6-09 the defaults of the settings are those of the client")
    func defaults() throws {
        let configuration = try self.read()
        let client = RPCClientConfiguration(endpoints: [])
        #expect(configuration.keepAlive == client.keepAlive)
        #expect(configuration.socketTimes == client.socketTimes)
        #expect(configuration.retries.maximumAttempts == client.retries.maximumAttempts)
        #expect(configuration.retries.backOff.minimum == client.retries.backOff.minimum)
        #expect(configuration.retries.backOff.maximum == client.retries.backOff.maximum)
        #expect(configuration.drainTimeout == client.drainTimeout)
    }

    @Test("G6-04 G6-09 each setting reaches the client")
    func each() throws {
        let configuration = try self.read(
            "--ping-interval=3s",
            "--missed-pings=5",
            "--scheduler-attempts=7",
            "--scheduler-retry-pause=20ms",
            "--scheduler-retry-pause-maximum=9s",
            "--drain-timeout=1m",
            "--scheduler-unacknowledged-timeout=2s",
            "--scheduler-probe-after=3s",
            "--scheduler-probe-interval=4s"
        )
        var times = SocketTimes()
        times.unacknowledged = .seconds(2)
        times.silence = .seconds(3)
        times.probeInterval = .seconds(4)
        #expect(configuration.socketTimes == times)
        #expect(configuration.keepAlive == KeepAlive(interval: .seconds(3), misses: 5))
        #expect(configuration.retries.maximumAttempts == 7)
        #expect(configuration.retries.backOff.minimum == .milliseconds(20))
        #expect(configuration.retries.backOff.maximum == .seconds(9))
        #expect(configuration.drainTimeout == .seconds(60))
    }

    @Test(
        "G6-09 a call is made once at least, and a hundred times at most",
        arguments: ["0", "-1", "101", "many", "1.5", ""]
    )
    func attempts(_ text: String) throws {
        let error = #expect(throws: SettingsError.self) { try self.read("--scheduler-attempts=\(text)") }
        #expect(error.map { "\($0)".contains("--scheduler-attempts") } == true)
        #expect(try self.read("--scheduler-attempts=1").retries.maximumAttempts == 1)
        #expect(try self.read("--scheduler-attempts=100").retries.maximumAttempts == 100)
    }
}
