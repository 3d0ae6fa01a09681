/// Who goes first.
public enum DispatchClass: Int, Sendable, Comparable {
    /// At once, in any place.
    case online
    /// Before batch lines.
    case flex
    /// In what is left.
    case batch
    /// While no batch line of its model waits.
    case background

    /// In the order in which they go.
    public static func < (one: DispatchClass, other: DispatchClass) -> Bool { one.rawValue < other.rawValue }
}

/// Places at each engine that only online requests may take.
///
/// They are kept free for a while after an online request; without such requests batches have all places.
public struct OnlineReserve: Sendable, Equatable {
    /// Percent of an engine's places, rounded down: an engine always leaves one for batches.
    public var percent: Int
    /// How long after an online request they are kept free, in milliseconds.
    public var milliseconds: Int64

    /// Makes a reserve, by default of 25 % for a minute.
    public init(percent: Int = 25, milliseconds: Int64 = 60_000) {
        self.percent = percent
        self.milliseconds = milliseconds
    }

    /// Places of an engine that takes so many requests.
    func places(of concurrency: Int) -> Int { concurrency * min(max(self.percent, 0), 99) / 100 }
}

/// Whether an engine can take requests.
public enum EngineCondition: Sendable, Equatable {
    /// Not asked yet.
    case unknown
    /// It answers.
    case ready
    /// It does not, for this reason.
    case down(reason: String)
}
