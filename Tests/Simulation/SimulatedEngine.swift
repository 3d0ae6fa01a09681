import CurlHTTP
import SchedulerCore
import SchedulerEngines

/// Engines that all schedulers share, and the witness of what really ran.
final class SimulatedEngines: @unchecked Sendable {
    // Guard: only the main thread touches it.

    let world: World
    /// Whether they can be reached at all.
    var areUp = true
    /// All are so much slower.
    var slowness: Int64 = 1
    /// How often each request ran, by its id.
    private(set) var executions: [String: Int] = [:]
    /// Executions whose answer asks for another attempt, or never arrives.
    private(set) var wastedExecutions = 0
    private(set) var totalExecutions = 0
    /// Looks at each request that is sent; for I-08.
    var onSend: (_ requestID: String, _ body: [UInt8], _ process: SimulatedProcess) -> Void = { _, _, _ in }

    init(world: World) {
        self.world = world
    }

    /// A request reached an engine.
    func ran(_ requestID: String) {
        self.executions[requestID, default: 0] += 1
        self.totalExecutions += 1
    }

    func wasted() { self.wastedExecutions += 1 }
}

/// One engine as one scheduler reaches it.
struct SimulatedEngine: Engine {
    static let models = ["model-a", "model-b"]
    private static let totalLimit: Int64 = 600_000

    let address: EngineAddress
    let engines: SimulatedEngines
    let process: SimulatedProcess
    private var world: World { self.engines.world }

    func models() async throws(AttemptFailure) -> [String] {
        do {
            try await self.process.sleep(self.world.random(1...20))
        } catch {
            throw AttemptFailure(kind: .broken, mayHaveRun: false, message: "cancelled")
        }
        guard self.engines.areUp else {
            throw AttemptFailure(kind: .unreachable, mayHaveRun: false, message: "connection refused")
        }
        return Self.models
    }

    func send(
        path: String,
        body: [UInt8],
        requestID: String,
        group: TransferGroup,
        onAnswer: @escaping @Sendable (EngineAnswer) -> Void
    ) {
        guard !self.process.isDead else { return }
        self.engines.onSend(requestID, body, self.process)
        let world = self.world
        guard self.engines.areUp, !world.fault(.engineUnreachable, Probability.engineFault) else {
            let failure = AttemptFailure(kind: .unreachable, mayHaveRun: false, message: "connection refused")
            return self.answer(.failed(failure), after: 1, group, onAnswer)
        }
        if world.fault(.engineBusy, Probability.engineFault) {
            let busy = EngineResponse(status: world.chance(0.5) ? 429 : 503, body: Array("{}".utf8))
            return self.answer(.answered(busy), after: 2, group, onAnswer)
        }
        self.engines.ran(requestID)
        let latency = world.random(5...200) * self.engines.slowness
        if world.fault(.engineHang, Probability.engineFault / 4) {
            self.engines.wasted()
            let failure = AttemptFailure(kind: .timedOut, mayHaveRun: true, message: "no answer")
            return self.answer(.failed(failure), after: Self.totalLimit, group, onAnswer)
        }
        if world.fault(.engineReset, Probability.engineFault) {
            self.engines.wasted()
            let failure = AttemptFailure(kind: .broken, mayHaveRun: true, message: "connection reset")
            return self.answer(.failed(failure), after: latency, group, onAnswer)
        }
        if world.fault(.engineError, Probability.engineFault) {
            self.engines.wasted()
            let error = EngineResponse(status: 500, body: Array(#"{"error":"simulated"}"#.utf8))
            return self.answer(.answered(error), after: latency, group, onAnswer)
        }
        self.answer(.answered(self.response(to: body)), after: latency, group, onAnswer)
    }

    func stream(_: StreamedRequest, onEnd: @escaping @Sendable (EngineAnswer) -> Void) {
        onEnd(
            .failed(AttemptFailure(kind: .unsendable, mayHaveRun: false, message: "only whole requests are simulated"))
        )
    }

    /// The same request always gets the same answer: its own body, echoed; some requests are refused for ever.
    private func response(to body: [UInt8]) -> EngineResponse {
        if self.world.fault(.engineGarbage, Probability.engineFault / 4) {
            return EngineResponse(status: 200, body: Array("<html>".utf8))
        }
        if body.contains(UInt8(ascii: "!")) {
            return EngineResponse(status: 400, body: Array(#"{"error":"refused"}"#.utf8))
        }
        return EngineResponse(status: 200, body: Array(#"{"echo":"#.utf8) + body + Array("}".utf8))
    }

    private func answer(
        _ answer: EngineAnswer,
        after milliseconds: Int64,
        _ group: TransferGroup,
        _ onAnswer: @escaping @Sendable (EngineAnswer) -> Void
    ) {
        let step = min(milliseconds, 500)
        self.world.after(step) {
            guard !self.process.isDead else { return }
            if group.isCancelled {
                self.process.post { onAnswer(.cancelled) }
            } else if milliseconds > step {
                self.answer(answer, after: milliseconds - step, group, onAnswer)
            } else {
                self.process.post { onAnswer(answer) }
            }
        }
    }
}
