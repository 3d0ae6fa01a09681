/// What all connections of a simulated engine share; used on its event loop only.
final class EngineState {
    let configuration: SimulatorConfiguration
    let witness: WitnessLedger?
    private var slots: SlotQueue<ObjectIdentifier>
    private var starters: [ObjectIdentifier: () -> Void] = [:]
    private var failuresLeft: [UInt64: Int] = [:]
    private static let maximumRememberedFailures = 10_000

    private(set) var promptTokens = 0
    private(set) var generatedTokens = 0

    init(_ configuration: SimulatorConfiguration, witness: WitnessLedger?) {
        self.configuration = configuration
        self.witness = witness
        self.slots = SlotQueue(slots: configuration.slots)
    }

    /// Requests that hold a slot, and those that wait.
    var load: (running: Int, waiting: Int) { (self.slots.running, self.slots.waiting) }

    /// Runs `start` as soon as there is a slot for the request.
    func enter(_ request: AnyObject, _ start: @escaping () -> Void) {
        let id = ObjectIdentifier(request)
        if self.slots.arrive(id) { start() } else { self.starters[id] = start }
    }

    /// The request ended or its client has gone.
    func leave(_ request: AnyObject, wasRunning: Bool) {
        let id = ObjectIdentifier(request)
        guard wasRunning else {
            if self.starters.removeValue(forKey: id) != nil { self.slots.leave(id) }
            return
        }
        if let next = self.slots.finish() { self.starters.removeValue(forKey: next)?() }
    }

    func count(prompt: Int, generated: Int) {
        self.promptTokens += prompt
        self.generatedTokens += generated
    }

    /// Whether a request that is to fail its first `times` times fails now.
    func failsNow(_ bodyHash: UInt64, times: Int) -> Bool {
        guard self.failuresLeft.count < Self.maximumRememberedFailures else { return false }
        let left = self.failuresLeft[bodyHash] ?? times
        self.failuresLeft[bodyHash] = max(left - 1, 0)
        return left > 0
    }
}
