/// How long a lease lasts and what an owner does when, in milliseconds (design section 4).
public struct LeaseTerms: Sendable, Equatable {
    /// A lease ends so long after it was renewed.
    public var duration: Int64 = 10_000
    /// It is renewed so long after the last renewal.
    public var renewal: Int64 = 3_000
    /// Nothing is sent and nothing new is begun so long after the last renewal.
    public var activity: Int64 = 7_000
    /// What others did is looked for so often: batches to claim, cancellations, owners that are gone.
    public var look: Int64 = 1_000

    /// The documented defaults.
    public init() {}

    /// The same proportions for another duration.
    public init(lasting duration: Duration) {
        let milliseconds = Int64(duration / .milliseconds(1))
        self.duration = milliseconds
        self.renewal = milliseconds * 3 / 10
        self.activity = milliseconds * 7 / 10
        self.look = milliseconds / 10
    }
}

/// An owner's side of its lease. Times are milliseconds of the store's lease clock; a renewal counts from when it was
/// asked for, so the owner always thinks that its lease ends before the store does.
public struct LeaseHolder: Sendable {
    private enum Phase: Sendable {
        case idle
        case held(owner: String, renewedAt: Int64)
        /// The lease was lost; what ran under it has not stopped yet.
        case stopping
    }

    /// What the owner has to do.
    public enum Action: Sendable, Equatable {
        /// Nothing now.
        case wait
        /// Begin a lease.
        case begin
        /// Renew it.
        case renew(owner: String)
        /// Stop everything that runs under the lease, then call `stopped`.
        case stop
    }

    private let terms: LeaseTerms
    private var phase = Phase.idle

    /// Nothing held yet.
    public init(terms: LeaseTerms) {
        self.terms = terms
    }

    /// The owner's name, while it holds a lease.
    public var owner: String? {
        if case .held(let owner, _) = self.phase { return owner }
        return nil
    }

    /// When the owner stops to send.
    public var activeUntil: Int64 { self.renewedAt.map { $0 + self.terms.activity } ?? 0 }
    /// When the lease ends unless it is renewed.
    public var heldUntil: Int64 { self.renewedAt.map { $0 + self.terms.duration } ?? 0 }

    private var renewedAt: Int64? {
        if case .held(_, let renewedAt) = self.phase { return renewedAt }
        return nil
    }

    /// When `next` has something to do, unless something else happens before; nil: now.
    public var dueAt: Int64? {
        self.renewedAt.map { $0 + self.terms.renewal }
    }

    /// Says what to do at `now`.
    public mutating func next(at now: Int64) -> Action {
        switch self.phase {
        case .idle: return .begin
        case .stopping: return .stop
        case .held(let owner, let renewedAt):
            if now >= renewedAt + self.terms.activity {
                self.phase = .stopping
                return .stop
            }
            return now >= renewedAt + self.terms.renewal ? .renew(owner: owner) : .wait
        }
    }

    /// The store began or renewed the lease after it was asked at `time`.
    public mutating func granted(_ owner: String, askedAt time: Int64) {
        switch self.phase {
        case .idle: self.phase = .held(owner: owner, renewedAt: time)
        case .held(owner, _): self.phase = .held(owner: owner, renewedAt: time)
        case .held, .stopping: break
        }
    }

    /// The store says that the lease has ended.
    public mutating func fenced() {
        if case .held = self.phase { self.phase = .stopping }
    }

    /// Everything that ran under the lost lease has stopped.
    public mutating func stopped() {
        self.phase = .idle
    }
}
