import ProtoRPC

/// One request that waits for a place at an engine.
final class PlaceRequest: Sendable {
    enum Outcome: Sendable {
        case placed(EnginePlace)
        case refused(RPCError)
        /// `Dispatcher.withdraw` took it back.
        case withdrawn
    }

    /// Ends the waiting. Called once, by whoever has taken the request out of its queue, on any thread and under no lock.
    let settle: @Sendable (Outcome) -> Void

    init(_ settle: @escaping @Sendable (Outcome) -> Void) {
        self.settle = settle
    }
}
