/// An engine as the dispatcher sees it.
public struct DispatchEngine: Sendable, Equatable {
    /// Models it serves.
    public var models: [String] = []
    /// Most requests in flight.
    public var concurrency: Int
    /// Requests in flight.
    public var inFlight = 0
    /// Those of them that are not online.
    public var offlineInFlight = 0
    /// Places are kept free for online requests until then.
    public var reservedUntil = Int64.min
    /// Whether it answers, and why not.
    public var condition = EngineCondition.unknown
    /// It is full until then.
    public var busyUntil: Int64 = 0
}

/// The engines and their free places. Pure; times are milliseconds of any monotonic clock.
///
/// Apart from `DispatchState`, whose lines wait for these places: it needs no type parameters, and so is compiled once.
public struct EnginePlaces: Sendable {
    /// The engines, by index.
    public internal(set) var engines: [DispatchEngine] = []
    private let reserve: OnlineReserve

    /// No engines.
    public init(reserve: OnlineReserve = OnlineReserve()) {
        self.reserve = reserve
    }

    /// Takes the place at the engine with the fewest requests in flight, of those that serve a model and have one free
    /// for this class; gives the engine.
    @usableFromInline
    mutating func take(for model: String, _ dispatchClass: DispatchClass, at now: Int64) -> Int? {
        guard let engine = self.free(for: model, dispatchClass, at: now) else { return nil }
        self.take(engine, dispatchClass)
        return engine
    }

    /// Takes a place at an engine that has one.
    @usableFromInline
    mutating func take(_ engine: Int, _ dispatchClass: DispatchClass) {
        self.engines[engine].inFlight += 1
        if dispatchClass != .online { self.engines[engine].offlineInFlight += 1 }
    }

    /// Gives a place back.
    @usableFromInline
    mutating func giveBack(_ engine: Int, _ dispatchClass: DispatchClass) {
        self.engines[engine].inFlight -= 1
        if dispatchClass != .online { self.engines[engine].offlineInFlight -= 1 }
    }

    /// Keeps places free for online requests, at the engines of a model, for a while from now on.
    @usableFromInline
    mutating func keepFree(for model: String, at now: Int64) {
        for index in self.engines.indices where self.engines[index].models.contains(model) {
            self.engines[index].reservedUntil = now + self.reserve.milliseconds
        }
    }

    /// The engine that `take` would take a place at.
    @usableFromInline
    func free(for model: String, _ dispatchClass: DispatchClass, at now: Int64) -> Int? {
        var best: Int?
        var fewest = Int.max
        for index in self.engines.indices
        where self.engines[index].inFlight < min(self.engines[index].concurrency, fewest)
            && self.mayTake(index, for: model, dispatchClass, at: now)
        {
            (best, fewest) = (index, self.engines[index].inFlight)
        }
        return best
    }

    private func mayTake(_ index: Int, for model: String, _ dispatchClass: DispatchClass, at now: Int64) -> Bool {
        guard case .ready = self.engines[index].condition, self.engines[index].busyUntil <= now,
            self.engines[index].models.contains(model)
        else { return false }
        return dispatchClass == .online || self.hasOfflinePlace(index, at: now)
    }

    /// Whether an engine has a place for what is not online, as far as the reserve goes.
    private func hasOfflinePlace(_ index: Int, at now: Int64) -> Bool {
        let concurrency = self.engines[index].concurrency
        let reserved = self.engines[index].reservedUntil > now ? self.reserve.places(of: concurrency) : 0
        return self.engines[index].offlineInFlight < concurrency - reserved
    }
}
