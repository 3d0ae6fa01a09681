import NIOCore

// Which connection a call gets, and what follows when it fails there.
extension RPCClient {
    func attempts(mayRunTwice: Bool) -> CallAttemptsStateMachine {
        CallAttemptsStateMachine(policy: self.configuration.retries, mayRunTwice: mayRunTwice)
    }

    /// A connection for the next attempt of a call if there is one: most often there is, and then the call need not be
    /// suspended.
    func connectionNow(
        for attempts: inout CallAttemptsStateMachine,
        _ options: CallOptions,
        now: NIODeadline
    ) -> ClientConnection? {
        let choice = self.links.choose(
            lane: options.lane,
            endpoint: options.endpoint,
            besides: attempts.tried,
            now: now
        )
        guard case .connection(let connection) = choice else { return nil }
        attempts.begin(at: connection.endpoint)
        return connection
    }

    /// A connection for the next attempt of a call.
    ///
    /// - Throws: the call's error when there is none.
    func connection(
        for attempts: inout CallAttemptsStateMachine,
        _ options: CallOptions,
        deadline: NIODeadline
    ) async throws(RPCError) -> ClientConnection {
        while true {
            do throws(RPCError) {
                let connection = try await self.connection(options, besides: attempts.tried, deadline: deadline)
                attempts.begin(at: connection.endpoint)
                return connection
            } catch {
                let decision = attempts.foundNone(error, remaining: Self.remaining(until: deadline))
                try await self.follow(decision, attempts)
            }
        }
    }

    /// A call failed on a connection. Returns when it is time for the next attempt.
    ///
    /// - Throws: the call's error when there is none.
    func failed(
        _ error: RPCError,
        on connection: ClientConnection,
        _ attempts: inout CallAttemptsStateMachine,
        _ options: CallOptions,
        deadline: NIODeadline
    ) async throws(RPCError) {
        if error.code == .unavailable { connection.refused() }
        // A connection that has ended is not chosen again, whoever it was with.
        let goesElsewhere =
            error.notSent && connection.hasEnded
            || self.links.hasConnection(lane: options.lane, endpoint: options.endpoint, besides: attempts.tried)
        let remaining = Self.remaining(until: deadline)
        try await self.follow(attempts.failed(error, goesElsewhere: goesElsewhere, remaining: remaining), attempts)
    }

    private func follow(
        _ decision: CallAttemptsStateMachine.Decision,
        _ attempts: CallAttemptsStateMachine
    ) async throws(RPCError) {
        switch decision {
        case .giveUp(let error): throw error
        case .again(.zero): break
        case .again(let pause):
            do {
                try await Task.sleep(for: pause)
            } catch {
                throw attempts.final(.callerCancelled)
            }
        }
    }

    private static func remaining(until deadline: NIODeadline) -> Duration {
        .nanoseconds((deadline - .now()).nanoseconds)
    }

    /// A connection for a call, waiting a little for a first attempt to connect that is under way.
    private func connection(
        _ options: CallOptions,
        besides tried: Set<Endpoint>,
        deadline: NIODeadline
    ) async throws(RPCError) -> ClientConnection {
        var waitUntil: NIODeadline?
        while true {
            switch self.links.choose(lane: options.lane, endpoint: options.endpoint, besides: tried, now: .now()) {
            case .connection(let connection):
                return connection
            case .fail(let error):
                throw error
            case .wait(let change):
                if Task.isCancelled { throw .callerCancelled }
                let now = NIODeadline.now()
                let limit = waitUntil ?? now + TimeAmount(clamping: self.configuration.connectionWait)
                waitUntil = limit
                if now >= deadline {
                    throw RPCError(code: .deadlineExceeded, message: "the deadline has passed", notSent: true)
                }
                if now >= limit {
                    throw RPCError(code: .unavailable, message: "still connecting; try again later", notSent: true)
                }
                await self.links.waitForChange(
                    since: change,
                    timeout: min(limit, deadline) - now,
                    on: self.configuration.eventLoopGroup.next()
                )
            }
        }
    }
}

extension RPCError {
    /// The task of a call was cancelled before the call was sent.
    fileprivate static let callerCancelled = RPCError(
        code: .cancelled,
        message: "the caller cancelled the call",
        notSent: true
    )
}
