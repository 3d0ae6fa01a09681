import Logging
import SchedulerCore
import SchedulerStores
import ServiceLifecycle
import Synchronization

/// Holds this scheduler's lease: begins it, renews it, and when it is lost stops everything that ran under it before it
/// begins another one.
final class OwnershipKeeper: Service {
    /// Longest pause before a store that failed is asked again, in milliseconds.
    private static let longestRetryPause: Int64 = 250

    private struct State {
        var holder: LeaseHolder
        var session: UInt64 = 0
    }

    /// Names this scheduler as long as it runs.
    let instance: String
    private let state: Mutex<State>
    /// Copies of the holder's times for the thread that sends; written under the lock of `state`.
    private let activeUntil = Atomic<Int64>(0)
    private let heldUntil = Atomic<Int64>(0)
    private let terms: LeaseTerms
    private let store: any MetadataStore
    private let instances: InstanceLocks
    private let platform: Platform
    private let logger: Logger
    private let onBegin = Mutex<@Sendable () -> Void>({})
    private let onLost = Mutex<@Sendable () async -> Void>({})

    init(
        instance: String,
        terms: LeaseTerms,
        store: any MetadataStore,
        instances: InstanceLocks,
        platform: Platform,
        logger: Logger
    ) {
        self.instance = instance
        self.terms = terms
        self.state = Mutex(State(holder: LeaseHolder(terms: terms)))
        self.store = store
        self.instances = instances
        self.platform = platform
        self.logger = logger
    }

    /// Sets what is called when a lease begins, and when it is lost; the latter returns when everything has stopped.
    func observe(onBegin: @escaping @Sendable () -> Void, onLost: @escaping @Sendable () async -> Void) {
        self.onBegin.withLock { $0 = onBegin }
        self.onLost.withLock { $0 = onLost }
    }

    /// The name of the lease that is held now.
    var owner: String? { self.state.withLock { $0.holder.owner } }

    /// Whether lines may be sent and work may be begun now.
    var mayAct: Bool { self.platform.time.bootMilliseconds() < self.activeUntil.load(ordering: .relaxed) }

    /// Whether the lease certainly has not ended; what was made durable before this was asked counts.
    var holdsLease: Bool {
        self.platform.time.bootMilliseconds() < self.heldUntil.load(ordering: .sequentiallyConsistent)
    }

    /// How often schedulers look for what others did.
    var lookInterval: Duration { .milliseconds(self.terms.look) }

    /// Bytes that have had no record for so long, in milliseconds, get none any more.
    var orphanAge: Int64 { self.terms.duration }
    /// Bytes whose commit began longer ago may be gone, so that no record is made for them. The rest of the orphan's age
    /// is for the transaction.
    var recordAge: Int64 { self.terms.activity }

    /// Keeps the lease until shutdown.
    func run() async throws {
        await self.platform.untilShutdown {
            while !Task.isCancelled {
                await self.step()
                await self.endLeasesOfTheDead()
                try? await self.platform.time.sleep(.milliseconds(self.pause))
            }
        }
    }

    /// Milliseconds until the lease or the others are to be looked at again.
    private var pause: Int64 {
        let retry = min(Self.longestRetryPause, self.terms.look / 4)
        guard let due = self.state.withLock({ $0.holder.dueAt }) else { return retry }
        return min(max(due - self.platform.time.bootMilliseconds(), retry), self.terms.look)
    }

    /// Ends the lease, so that others need not wait for its end. Nothing may run under it any more.
    func end() async {
        guard let owner = self.owner else { return }
        self.change { $0.fenced() }
        try? await self.store.endLease(owner)
    }

    /// One look at the lease.
    private func step() async {
        let now = self.platform.time.bootMilliseconds()
        switch self.change({ $0.next(at: now) }) {
        case .wait: break
        case .begin: await self.begin(askedAt: now)
        case .renew(let owner): await self.renew(owner, askedAt: now)
        case .stop:
            self.logger.warning("the lease is lost: stopping all batches; they go on where they are")
            await self.onLost.withLock { $0 }()
            self.change { $0.stopped() }
        }
    }

    private func begin(askedAt time: Int64) async {
        let session = self.state.withLock { state in
            state.session += 1
            return state.session
        }
        let owner = "\(self.instance).\(session)"
        do {
            try await self.store.beginLease(owner, milliseconds: self.terms.duration)
            self.change { $0.granted(owner, askedAt: time) }
            self.onBegin.withLock { $0 }()
        } catch {
            self.logger.warning("no lease yet", metadata: ["error": "\(error)"])
        }
    }

    private func renew(_ owner: String, askedAt time: Int64) async {
        do {
            try await self.store.renewLease(owner, milliseconds: self.terms.duration)
            self.change { $0.granted(owner, askedAt: time) }
        } catch .fenced {
            self.change { $0.fenced() }
        } catch {
            self.logger.warning("the lease was not renewed", metadata: ["error": "\(error)"])
        }
    }

    /// A scheduler on this host that was killed has left its lock behind: nobody need wait for the end of its lease.
    private func endLeasesOfTheDead() async {
        guard let owners = try? await self.store.ownership().owners else { return }
        for owner in owners.sorted() {
            let instance = InstanceLocks.instance(ofOwner: owner)
            guard instance != self.instance else { continue }
            let instances = self.instances
            guard (try? await self.platform.threads.run({ instances.isDead(instance) })) == true else { continue }
            self.logger.notice("another scheduler is gone; its batches go on", metadata: ["instance": "\(instance)"])
            try? await self.store.endLease(owner)
            self.onBegin.withLock { $0 }()
        }
    }

    @discardableResult
    private func change<Result>(_ body: (inout LeaseHolder) -> Result) -> Result {
        self.state.withLock { state in
            let result = body(&state.holder)
            self.activeUntil.store(state.holder.activeUntil, ordering: .relaxed)
            self.heldUntil.store(state.holder.heldUntil, ordering: .sequentiallyConsistent)
            return result
        }
    }
}
