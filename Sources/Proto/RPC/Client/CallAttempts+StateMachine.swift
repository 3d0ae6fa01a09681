/// Decides whether a call that failed is made again, and when (G6-09). No I/O: events in, actions out.
struct CallAttemptsStateMachine {
    enum Decision: Equatable {
        /// Make the call again after a pause, rather on a server that is not in `tried`.
        case again(after: Duration)
        /// The call has failed.
        case giveUp(RPCError)
    }

    /// Servers that have got the call since the last pause.
    var tried: Set<RPCClient.Endpoint> {
        self.current.map { self.failedAt.union([$0]) } ?? self.failedAt
    }

    /// Most calls succeed at once and need no set.
    private var current: RPCClient.Endpoint?
    private var failedAt: Set<RPCClient.Endpoint> = []

    private let policy: RetryPolicy
    private let mayRunTwice: Bool
    private var failures = 0
    private var pauses = 0
    /// Whether any attempt may have been run.
    private var mayHaveRun = false

    /// - Parameter mayRunTwice: whether running the call twice does no harm.
    init(policy: RetryPolicy, mayRunTwice: Bool) {
        self.policy = policy
        self.mayRunTwice = mayRunTwice
    }

    /// The call goes to a server.
    mutating func begin(at endpoint: RPCClient.Endpoint) {
        self.failedAt = self.tried
        self.current = endpoint
    }

    /// It failed there.
    ///
    /// - Parameters:
    ///   - error: how.
    ///   - goesElsewhere: whether the next attempt would meet another connection than those that have failed.
    ///   - remaining: what is left of the call's time.
    mutating func failed(_ error: RPCError, goesElsewhere: Bool, remaining: Duration) -> Decision {
        if !error.notSent { self.mayHaveRun = true }
        // A newer server may have the method; a pause changes nothing where it is not.
        if error.code == .unimplemented, error.notSent, goesElsewhere {
            return self.again(error, goesElsewhere: true, remaining: remaining)
        }
        let isTransient = error.code == .unavailable && (error.notSent || self.mayRunTwice)
        guard isTransient else { return self.giveUp(error) }
        return self.again(error, goesElsewhere: goesElsewhere, remaining: remaining)
    }

    /// No server is connected. Only a call that has been made waits for one: others are told at once.
    mutating func foundNone(_ error: RPCError, remaining: Duration) -> Decision {
        guard self.failures > 0, error.code == .unavailable else { return self.giveUp(error) }
        return self.again(error, goesElsewhere: false, remaining: remaining)
    }

    /// The error that the caller gets: what is not known of one attempt is not known of the call.
    func final(_ error: RPCError) -> RPCError {
        var error = error
        error.notSent = error.notSent && !self.mayHaveRun
        return error
    }

    private mutating func again(_ error: RPCError, goesElsewhere: Bool, remaining: Duration) -> Decision {
        self.failures += 1
        guard self.failures < self.policy.maximumAttempts, remaining > .zero else { return self.giveUp(error) }
        if goesElsewhere { return .again(after: .zero) }
        let pause = self.policy.backOff.delay(afterFailures: self.pauses + 1)
        guard pause < remaining else { return self.giveUp(error) }
        self.pauses += 1
        self.current = nil
        self.failedAt = []
        return .again(after: pause)
    }

    private func giveUp(_ error: RPCError) -> Decision {
        .giveUp(self.final(error))
    }
}
