import NIOCore
import ProtoMessages

/// What all calls of a connection have in common: each call's context holds it.
final class RPCClientFacts: Sendable {
    /// How calls are named that their client did not name.
    enum CallNames: Sendable {
        case given(String)
        case numbered(connection: UInt64)
    }

    let caller: RPCCaller
    let address: SocketAddress?
    private let callNames: CallNames
    /// Most callers need no look at the request.
    private let mayDoEverything: Bool

    init(caller: RPCCaller, address: SocketAddress?, callNames: CallNames) {
        self.caller = caller
        self.mayDoEverything = caller.mayDoEverything
        self.address = address
        self.callNames = callNames
    }

    /// Why a request is refused; nil when it is not.
    func refusal(of request: RequestEnvelope, allowed: RPCRoles) -> RPCError? {
        self.mayDoEverything ? nil : self.caller.refusal(of: request, allowed: allowed)
    }

    /// Text is made only when it is asked for.
    func name(ofCall streamID: UInt32) -> String {
        switch self.callNames {
        case .given(let text): text
        case .numbered(let connection): "\(connection)-\(streamID)"
        }
    }

    /// Of a connection that is gone.
    static let nobody = RPCClientFacts(caller: .nobody, address: nil, callNames: .numbered(connection: 0))
}
