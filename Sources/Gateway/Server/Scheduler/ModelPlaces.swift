import ProtoRPC

/// Which schedulers have engines for which models, as each of them said last. No I/O.
///
/// What a scheduler that cannot be asked said before goes on counting: its models are not gone, it is.
struct ModelPlaces {
    private var models: [RPCClient.Endpoint: Set<String>] = [:]

    /// A scheduler has told its models.
    mutating func said(_ models: Set<String>, by scheduler: RPCClient.Endpoint) {
        self.models[scheduler] = models
    }

    /// Whether any scheduler has the model.
    func has(_ model: String) -> Bool {
        self.models.values.contains { $0.contains(model) }
    }

    /// The schedulers of which a request for the model goes to one; none: any will do, or none is known to have it.
    ///
    /// - Parameters:
    ///   - connected: schedulers that can take requests now; while all of them have the model, the choice is the client's,
    ///     which knows how busy they are.
    ///   - refused: schedulers that did not take this request.
    func schedulers(
        for model: String,
        connected: [RPCClient.Endpoint],
        besides refused: Set<RPCClient.Endpoint> = []
    ) -> [RPCClient.Endpoint] {
        let having = self.models.filter { $0.value.contains(model) }.keys
        guard !having.isEmpty else { return [] }
        let ready = connected.filter { having.contains($0) }
        guard ready.count < connected.count || connected.isEmpty else { return [] }
        let fresh = ready.filter { !refused.contains($0) }
        guard fresh.isEmpty else { return fresh }
        return [ready.first ?? having.first].compactMap(\.self)
    }
}
