import GatewayAPI
import GatewayAccess

/// What every request has to pass before it is answered, whoever answers it.
struct RequestChecks: Sendable {
    /// A request whose maker is known.
    struct Passed {
        let caller: Caller
        /// Where its tenant stands; nil when nothing is counted for it. Look at `refusal` first of all.
        let admission: Admission?
        /// What is asked for, or what is wrong with the head.
        let route: Result<Route, APIError>
    }

    let keys: KeyCheck
    let rates: RateLimiter

    /// Asks first who it is, and then whether more may be asked for. Whoever sends a body was told before, by the
    /// connection, that the key is not accepted, or what is wrong with the head.
    ///
    /// - Throws: 401 without a key that is accepted now.
    func check(_ head: RequestHead, _ credentials: @autoclosure () -> Credentials) throws(APIError) -> Passed {
        let caller = try self.keys.caller(credentials(), head)
        let route = Result { () throws(APIError) in try head.admit() }
        return self.pass(head, caller, route)
    }

    /// The same for a request whose head the connection has looked at.
    func check(_ request: IncomingRequest) throws(APIError) -> Passed {
        self.pass(request.head, try request.caller(self.keys).get(), request.route)
    }

    private func pass(_ head: RequestHead, _ caller: Caller, _ route: Result<Route, APIError>) -> Passed {
        Passed(caller: caller, admission: self.rates.begin(caller, tokens: head.estimatedTokens), route: route)
    }
}
