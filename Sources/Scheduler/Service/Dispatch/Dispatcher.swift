import CurlHTTP
import FailPoints
import Logging
import SchedulerCore
import SchedulerEngines
import ServiceLifecycle
import Synchronization

/// Sends the lines of all jobs to the engines: the I/O shell around `DispatchState`.
///
/// Answers arrive on the HTTP client's thread, which also picks and sends the next line: a line costs no hop between
/// threads. Nothing here blocks.
final class Dispatcher: Service {
    typealias State = DispatchState<Owner, Item>

    /// Who takes turns.
    enum Owner: Sendable, Hashable {
        /// A job's lines, by its number.
        case job(Int)
        /// A tenant's own requests.
        case tenant(String)
    }

    /// What waits for a place at an engine.
    enum Item: Sendable {
        case line(LineRequest)
        case request(PlaceRequest)
    }

    /// Answers that wait for their commit may hold this many bytes; then nothing more is sent.
    static let maximumUncommittedBytes = 64 << 20
    /// How often what holds lines up is looked at.
    private static let tick = Duration.milliseconds(50)

    let state: Mutex<State>
    let engines = Mutex<[any Engine]>([])
    private let uncommittedBytes = Atomic<Int>(0)
    let retry: RetryPolicy
    let platform: Platform
    private let ownership: OwnershipKeeper
    private let logger: Logger
    private let engineToAsk: AsyncStream<Int>.Continuation
    /// Engines that could not be reached or may serve other models now, for the monitor.
    let enginesToAsk: AsyncStream<Int>
    /// Lines are held up until some time, of which no event tells.
    private let delays: AsyncStream<Void>
    private let delay: AsyncStream<Void>.Continuation
    private let isTicking = Atomic<Bool>(false)
    /// Requests other than lines that wait for a place.
    let waitingRequests = Atomic<Int>(0)

    init(
        retry: RetryPolicy,
        reserve: OnlineReserve = OnlineReserve(),
        ownership: OwnershipKeeper,
        platform: Platform,
        logger: Logger
    ) {
        self.state = Mutex(State(reserve: reserve))
        self.retry = retry
        self.ownership = ownership
        self.platform = platform
        self.logger = logger
        // The monitor takes them at once, and none may be dropped for many of another engine.
        (self.enginesToAsk, self.engineToAsk) = AsyncStream.makeStream()
        (self.delays, self.delay) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Sends what was held up when its time has come; as long as nothing is, it sleeps.
    func run() async throws {
        await self.platform.untilShutdown {
            for await _ in self.delays {
                self.isTicking.store(true, ordering: .sequentiallyConsistent)
                while self.tick(), (try? await self.platform.time.sleep(Self.tick)) != nil {}
                self.isTicking.store(false, ordering: .sequentiallyConsistent)
                // What is held up since the last look has told nobody.
                self.pump()
            }
        }
    }

    /// Sends what can be sent by now; whether lines are held up.
    private func tick() -> Bool {
        self.state.withLock { $0.wake(at: self.platform.time.monotonicMilliseconds()) }
        return self.sendWhatCanBeSent()
    }

    /// Lets `run` look at what is held up, if it does not already.
    private func watchDelays() {
        guard !self.isTicking.load(ordering: .sequentiallyConsistent) else { return }
        self.delay.yield()
    }
}

// MARK: - Engines

extension Dispatcher {
    /// Adds an engine, of which nothing is known yet.
    func add(_ engine: any Engine, concurrency: Int) -> Int {
        self.engines.withLock { $0.append(engine) }
        return self.state.withLock { $0.addEngine(concurrency: concurrency) }
    }

    func engineIsReady(_ index: Int, models: [String]) {
        self.state.withLock { $0.engineIsReady(index, models: models) }
        self.refuseStranded()
        self.pump()
    }

    func engineIsDown(_ index: Int, reason: String) {
        self.state.withLock { $0.engineIsDown(index, reason: reason) }
        self.refuseStranded()
    }

    /// The engines as they are now, with their addresses.
    func snapshot() -> [(address: EngineAddress, engine: DispatchEngine)] {
        let clients = self.engines.withLock { $0 }
        let engines = self.state.withLock { $0.engines }
        return zip(clients, engines).map { ($0.address, $1) }
    }

    /// Why nothing can be sent for these models; nil when something can.
    func waitingReason(models: [String]) -> String? {
        self.state.withLock { $0.waitingReason(models: models, at: self.platform.time.monotonicMilliseconds()) }
    }

    /// Models that no engine serves although all of them have told theirs.
    func absentModels(_ models: [String]) -> [String] {
        self.state.withLock { state in models.filter { state.isKnownToBeAbsent($0) } }
    }
}

// MARK: - Lines

extension Dispatcher {
    /// Queues lines of one job for one model.
    func offer(_ lines: [LineRequest], of job: RunningJob, model: String) {
        job.linesWereQueued(lines.count)
        self.state.withLock { state in
            state.offer(lines.map(Item.line), job.dispatchClass, job: .job(job.number), model: model)
        }
        self.pump()
    }

    /// Whether the client wants the job's lines to wait; what is at an engine goes on.
    /// - Parameter version: the record's that says so. Who has read an earlier one may come later, and is not heard.
    func setPaused(_ isPaused: Bool, _ job: RunningJob, version: Int64) {
        self.state.withLock { state in
            guard job.isNews(version) else { return }
            if isPaused { state.park(.job(job.number)) } else { state.unpark(.job(job.number)) }
        }
        if !isPaused { self.pump() }
    }

    /// Takes back what is not in flight.
    func withdraw(_ job: RunningJob) {
        _ = self.state.withLock { $0.withdraw(.job(job.number)) }
    }

    /// Answers of this many bytes were committed, or dropped.
    func committed(bytes: Int) {
        let before = self.uncommittedBytes.subtract(bytes, ordering: .relaxed).oldValue
        if before >= Self.maximumUncommittedBytes { self.pump() }
    }

    /// Sends as long as there is something and a place for it.
    func pump() {
        if self.sendWhatCanBeSent() { self.watchDelays() }
    }

    /// Whether lines are held up is of the instant at which there was nothing more to send: between two looks at the clock
    /// their time might come, and nobody would send them.
    private func sendWhatCanBeSent() -> Bool {
        while true {
            let (next, isHeldUp) = self.next()
            guard let next else { return isHeldUp }
            switch next.line {
            case .request(let request): self.place(request, next)
            case .line(let line) where line.job.take(): self.send(line, to: next.engine)
            case .line: self.state.withLock { $0.requestEnded(engine: next.engine) }
            }
        }
    }

    /// What to send now; when there is nothing, whether lines wait for a time, or for the lease.
    private func next() -> (State.Assignment?, isHeldUp: Bool) {
        // The lease is looked at before each line: a scheduler that was paused must not send (I-08). Other requests
        // belong to no lease.
        let mayAct = self.ownership.mayAct
        let mayRunLines = mayAct && self.uncommittedBytes.load(ordering: .relaxed) < Self.maximumUncommittedBytes
        let now = self.platform.time.monotonicMilliseconds()
        return self.state.withLock { state in
            if let next = state.next(at: now, batch: mayRunLines) { return (next, false) }
            return (nil, state.isDelayed(at: now) || !mayAct && state.hasLines)
        }
    }

    private func send(_ line: LineRequest, to index: Int) {
        let engine = self.engines.withLock { $0[index] }
        FailPoint.reach("engine.before_send")
        engine.send(
            path: line.job.endpoint,
            body: line.body,
            requestID: ObjectID.request(batchID: line.job.id, line: line.line),
            group: line.job.transfers
        ) { answer in
            FailPoint.reach("engine.after_answer")
            self.ended(line, at: index, with: answer)
            self.pump()
        }
    }

    /// A request ended: its place is free, and its line is done, repeated or dropped.
    private func ended(_ line: LineRequest, at index: Int, with answer: EngineAnswer) {
        self.state.withLock { $0.requestEnded(engine: index) }
        if let result = AttemptResult(answer) {
            let decision = self.retry.decide(
                result,
                countedAttempts: Int(line.attempts),
                jitter: self.platform.randomFraction()
            )
            self.note(decision.engine, about: index, answer)
            self.settle(line, decision.line, answer)
        }
        line.job.requestEnded()
    }

    func note(_ verdict: RetryPolicy.EngineVerdict, about index: Int, _ answer: EngineAnswer) {
        switch verdict {
        case .fine, .unknown: break
        case .changed: self.engineToAsk.yield(index)
        case .busy(let milliseconds):
            let until = self.platform.time.monotonicMilliseconds() + milliseconds
            self.state.withLock { $0.engineIsBusy(index, until: until) }
            self.refuseStranded()
        case .unreachable:
            guard case .failed(let failure) = answer else { return }
            self.engineIsDown(index, reason: failure.message)
            self.engineToAsk.yield(index)
        }
    }

    private func settle(
        _ line: LineRequest,
        _ decision: RetryPolicy.LineDecision,
        _ answer: EngineAnswer
    ) {
        switch decision {
        case .record:
            let content = LineAnswer(line: line.line, attempts: line.attempts + 1, content: .init(answer))
            self.uncommittedBytes.add(content.bytes, ordering: .relaxed)
            line.job.committer.commit(content)
        case .retry(let delay, let counted):
            guard !line.job.isEnding else { return }
            var again = line
            if counted { again.attempts += 1 }
            let due = delay > 0 ? self.platform.time.monotonicMilliseconds() + delay : nil
            line.job.linesWereQueued(1)
            self.state.withLock { state in
                let job = line.job
                state.giveBack(.line(again), job.dispatchClass, job: .job(job.number), model: line.model, due: due)
            }
        }
    }
}
