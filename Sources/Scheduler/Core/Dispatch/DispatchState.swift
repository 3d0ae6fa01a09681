/// Which line goes to which engine next: engines with their free places, lines with their turns. Pure; times are
/// milliseconds of any monotonic clock.
///
/// A *pool* is the set of engines that serve one model. Within a pool the engine with the fewest requests in flight is
/// taken; between jobs lines take turns. An online request is a line of the class that goes first, so that while one
/// waits for an engine no other line is sent there; it takes any place, the others leave it some (`OnlineReserve`, design
/// section 5).
///
/// What is asked for each line is inlinable, so that it is compiled for the lines of who uses it: code that is told its types
/// by another module while it runs takes up to ten times as long.
public struct DispatchState<Job: Hashable & Sendable, Line: Sendable>: Sendable {
    /// A line that waits for its next attempt.
    @usableFromInline
    struct Delayed: Sendable {
        var due: Int64
        var dispatchClass: DispatchClass
        var model: String
        var job: Job
        var line: Line
    }

    /// What to send where.
    public struct Assignment: Sendable {
        /// Of which class the line is.
        public var dispatchClass: DispatchClass
        /// Index of the engine.
        public var engine: Int
        /// Whose line it is.
        public var job: Job
        /// The line.
        public var line: Line

        @usableFromInline
        init(dispatchClass: DispatchClass, engine: Int, job: Job, line: Line) {
            self.dispatchClass = dispatchClass
            self.engine = engine
            self.job = job
            self.line = line
        }
    }

    @usableFromInline var places: EnginePlaces
    /// Lines that wait, by class, in its order, and model; few, and edited in place: a copy of a queue would cost as much
    /// as its lines.
    @usableFromInline var queues: [(dispatchClass: DispatchClass, model: String, turns: FairTurns<Job, Line>)] = []
    @usableFromInline var delayed: [Delayed] = []
    @usableFromInline var parked: Set<Job> = []
    /// The class of the first queue; nil: no line waits.
    @usableFromInline var firstClass: DispatchClass?

    /// No engines, no lines.
    public init(reserve: OnlineReserve = OnlineReserve()) {
        self.places = EnginePlaces(reserve: reserve)
    }

    /// The engines, by index.
    public var engines: [DispatchEngine] { self.places.engines }

    /// Whether nothing waits, neither for an engine nor for a time.
    @inlinable
    public var isIdle: Bool { self.firstClass == nil && self.delayed.isEmpty }

    /// Adds an engine and gives its index.
    public mutating func addEngine(concurrency: Int) -> Int {
        self.places.engines.append(DispatchEngine(concurrency: concurrency))
        return self.engines.count - 1
    }

    /// An engine answered a health check and serves these models.
    public mutating func engineIsReady(_ index: Int, models: [String]) {
        self.places.engines[index].models = models
        self.places.engines[index].condition = .ready
    }

    /// An engine cannot be reached.
    public mutating func engineIsDown(_ index: Int, reason: String) {
        self.places.engines[index].condition = .down(reason: reason)
    }

    /// An engine is full until then.
    public mutating func engineIsBusy(_ index: Int, until: Int64) {
        self.places.engines[index].busyUntil = max(self.engines[index].busyUntil, until)
    }

    /// Queues batch lines of one job for one model.
    @inlinable
    public mutating func offer(
        _ lines: some Sequence<Line>,
        _ dispatchClass: DispatchClass = .batch,
        job: Job,
        model: String
    ) {
        self.queues[self.queueIndex(dispatchClass, model)].turns.append(lines, for: job)
    }

    /// Queues a line of any class; an online one has places kept free at its engines from now on.
    @inlinable
    public mutating func offer(_ line: Line, _ dispatchClass: DispatchClass, job: Job, model: String, at now: Int64) {
        self.queues[self.queueIndex(dispatchClass, model)].turns.append(CollectionOfOne(line), for: job)
        if dispatchClass == .online { self.places.keepFree(for: model, at: now) }
    }

    /// Takes a free place for a request of any class without queueing it, and gives the engine; nil when there is none, or
    /// lines of its class, or of one that goes first, may wait for it.
    @inlinable
    public mutating func takeFreePlace(for model: String, _ dispatchClass: DispatchClass, at now: Int64) -> Int? {
        if let firstClass, firstClass <= dispatchClass { return nil }
        guard let engine = self.places.take(for: model, dispatchClass, at: now) else { return nil }
        if dispatchClass == .online { self.places.keepFree(for: model, at: now) }
        return engine
    }

    /// Gives back a batch line that was taken: to the head of its job at once, or after a delay.
    public mutating func giveBack(
        _ line: Line,
        _ dispatchClass: DispatchClass = .batch,
        job: Job,
        model: String,
        due: Int64?
    ) {
        if let due {
            let item = Delayed(due: due, dispatchClass: dispatchClass, model: model, job: job, line: line)
            self.delayed.append(item)
        } else {
            self.queues[self.queueIndex(dispatchClass, model)].turns.prepend(line, for: job)
        }
    }

    /// A request ended, however; its place is free.
    @inlinable
    public mutating func requestEnded(engine index: Int, _ dispatchClass: DispatchClass = .batch) {
        self.places.giveBack(index, dispatchClass)
    }

    /// Drops the lines of a job that wait and are meant; whether there were any.
    public mutating func withdraw(_ job: Job, where isMeant: (Line) -> Bool) -> Bool {
        var any = false
        for index in self.queues.indices {
            any = self.queues[index].turns.remove(job, where: isMeant) || any
        }
        self.dropEmptyQueues()
        return any
    }

    /// Takes out the lines that go before batch lines and that no engine can take now or later, because none of their
    /// model is ready: they do not wait for one.
    public mutating func takeStranded(at now: Int64) -> [(line: Line, model: String)] {
        var stranded: [(line: Line, model: String)] = []
        for index in self.queues.indices where self.queues[index].dispatchClass < .batch {
            let model = self.queues[index].model
            guard self.waitingReason(models: [model], at: now) != nil else { continue }
            while let (_, line) = self.queues[index].turns.next() { stranded.append((line, model)) }
        }
        if !stranded.isEmpty { self.dropEmptyQueues() }
        return stranded
    }

    /// Models that some engine says it serves, sorted.
    public var servedModels: [String] {
        Set(self.engines.flatMap(\.models)).sorted()
    }

    /// Lets the lines of a job wait, those that come later too, until `unpark` or `withdraw`.
    public mutating func park(_ job: Job) {
        self.parked.insert(job)
        for index in self.queues.indices { self.queues[index].turns.park(job) }
    }

    /// Lets the lines of a job go on.
    public mutating func unpark(_ job: Job) {
        self.parked.remove(job)
        for index in self.queues.indices { self.queues[index].turns.unpark(job) }
    }

    /// Drops all lines of a job that are not in flight; gives them back.
    public mutating func withdraw(_ job: Job) -> [Line] {
        self.parked.remove(job)
        var dropped: [Line] = []
        for index in self.queues.indices {
            dropped += self.queues[index].turns.remove(job)
            self.queues[index].turns.unpark(job)
        }
        self.dropEmptyQueues()
        dropped += self.delayed.filter { $0.job == job }.map(\.line)
        self.delayed.removeAll { $0.job == job }
        return dropped
    }

    /// Moves delayed lines whose time has come to the head of their jobs.
    public mutating func wake(at now: Int64) {
        guard self.delayed.contains(where: { $0.due <= now }) else { return }
        for item in self.delayed where item.due <= now {
            self.queues[self.queueIndex(item.dispatchClass, item.model)].turns.prepend(item.line, for: item.job)
        }
        self.delayed.removeAll { $0.due <= now }
    }

    /// Whether a line waits that can be sent as soon as there is an engine.
    @inlinable
    public var hasLines: Bool { self.queues.contains { $0.turns.hasNext } }

    /// Whether lines wait until some time: for their next attempt, for an engine that is full, or for places that are kept
    /// free for online requests.
    @inlinable
    public func isDelayed(at now: Int64) -> Bool {
        !self.delayed.isEmpty
            || self.hasLines && self.engines.contains { $0.busyUntil > now || $0.reservedUntil > now }
    }

    /// Takes the next line that can be sent now.
    /// - Parameter batch: whether batch lines may be sent.
    @inlinable
    public mutating func next(at now: Int64, batch: Bool = true) -> Assignment? {
        for index in self.queues.indices {
            let dispatchClass = self.queues[index].dispatchClass
            guard batch || dispatchClass < .batch else { return nil }
            guard let engine = self.places.free(for: self.queues[index].model, dispatchClass, at: now),
                let (job, line) = self.queues[index].turns.next()
            else { continue }
            if self.queues[index].turns.count == 0 { self.dropEmptyQueues() }
            self.places.take(engine, dispatchClass)
            return Assignment(dispatchClass: dispatchClass, engine: engine, job: job, line: line)
        }
        return nil
    }

    /// The queue of a class and model; made when there is none.
    @inlinable
    mutating func queueIndex(_ dispatchClass: DispatchClass, _ model: String) -> Int {
        var place = self.queues.count
        for (index, queue) in self.queues.enumerated() {
            if queue.dispatchClass == dispatchClass, queue.model == model { return index }
            if queue.dispatchClass > dispatchClass { place = min(place, index) }
        }
        self.queues.insert((dispatchClass, model, FairTurns(parked: self.parked)), at: place)
        self.firstClass = self.queues[0].dispatchClass
        return place
    }

    @inlinable
    mutating func dropEmptyQueues() {
        self.queues.removeAll { $0.turns.count == 0 }
        self.firstClass = self.queues.first?.dispatchClass
    }

    /// Why no line of these models can be sent, for people; nil when an engine that serves one of them is ready.
    public func waitingReason(models: [String], at now: Int64) -> String? {
        let serving = self.engines.filter { engine in models.contains { engine.models.contains($0) } }
        if serving.contains(where: { $0.condition == .ready && $0.busyUntil <= now }) { return nil }
        if serving.contains(where: { $0.condition == .ready }) { return "every engine of this model says it is full" }
        let candidates = serving.isEmpty ? self.engines : serving
        if candidates.isEmpty { return "no engine is configured: start the scheduler with --engine URL" }
        for case .down(let reason) in candidates.map(\.condition) { return reason }
        if candidates.contains(where: { $0.condition == .unknown }) { return "the engines were not reached yet" }
        return "no engine serves \(models.joined(separator: ", "))"
    }

    /// Whether every engine has told its models and none serves this one.
    public func isKnownToBeAbsent(_ model: String) -> Bool {
        !self.engines.isEmpty && self.engines.allSatisfy { $0.condition == .ready && !$0.models.contains(model) }
    }
}
