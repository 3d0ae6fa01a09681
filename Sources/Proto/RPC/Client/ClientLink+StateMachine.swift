/// Where a client stands with one server on one lane: whether calls can go there, and when to try to connect again.
///
/// After a connection that served calls is lost the first attempt follows at once, so that calls survive a restart;
/// attempts after a failure are spaced by the back-off.
struct ClientLinkStateMachine<Connection> {
    private enum State {
        /// An attempt is under way or about to begin. `failures` counts those in a row before it.
        case connecting(failures: Int, lastError: String)
        case connected(Connection, failures: Int)
        case backingOff(failures: Int, lastError: String)
        case stopped
    }

    enum Availability {
        case ready(Connection)
        /// A first attempt is under way: worth a short wait.
        case soon
        case unavailable(reason: String)
    }

    enum NextStep: Equatable {
        case connectNow
        case connectAfter(Duration)
        case stop
    }

    private let backOff: BackOff
    private var state = State.connecting(failures: 0, lastError: "not connected yet")

    init(backOff: BackOff) {
        self.backOff = backOff
    }

    var availability: Availability {
        switch self.state {
        case .connecting(0, _): .soon
        case .connecting(_, let lastError), .backingOff(_, let lastError): .unavailable(reason: lastError)
        case .connected(let connection, _): .ready(connection)
        case .stopped: .unavailable(reason: "the client is stopped")
        }
    }

    /// The back-off's time is over.
    mutating func attemptBegins() {
        if case .backingOff(let failures, let lastError) = self.state {
            self.state = .connecting(failures: failures, lastError: lastError)
        }
    }

    /// An attempt succeeded. Gives false when the client was stopped meanwhile and the connection has to be closed.
    mutating func attemptSucceeded(_ connection: Connection) -> Bool {
        switch self.state {
        case .connecting(let failures, _), .backingOff(let failures, _):
            self.state = .connected(connection, failures: failures)
            return true
        case .connected, .stopped:
            return false
        }
    }

    /// An attempt failed.
    mutating func attemptFailed(_ error: String) -> NextStep {
        switch self.state {
        case .connecting(let failures, _), .backingOff(let failures, _), .connected(_, let failures):
            return self.fail(failures: failures + 1, error)
        case .stopped:
            return .stop
        }
    }

    /// The connection takes no more calls. One that never answered a call counts as a failed attempt: the server may
    /// accept connections only to close them.
    mutating func connectionEnded(wasUseful: Bool) -> NextStep {
        switch self.state {
        case .connected(_, let failures) where !wasUseful:
            return self.fail(failures: failures + 1, "the connection was closed")
        case .connected, .connecting, .backingOff:
            self.state = .connecting(failures: 0, lastError: "the connection was lost")
            return .connectNow
        case .stopped:
            return .stop
        }
    }

    /// The client stops. Gives the connection to retire, if there is one.
    mutating func stop() -> Connection? {
        defer { self.state = .stopped }
        guard case .connected(let connection, _) = self.state else { return nil }
        return connection
    }

    private mutating func fail(failures: Int, _ error: String) -> NextStep {
        self.state = .backingOff(failures: failures, lastError: error)
        return .connectAfter(self.backOff.delay(afterFailures: failures))
    }
}
