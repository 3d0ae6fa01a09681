import CurlHTTP
import SchedulerCore
import Synchronization

/// A batch that this scheduler is running: what the dispatcher, the committer and the job's own task share.
final class RunningJob: Sendable {
    /// What happens to a job while its lines run.
    enum Event: Sendable {
        /// Every line has a record.
        case complete
        /// The client asked for an end.
        case cancelRequested
        /// The window is over.
        case windowEnded
        /// The scheduler stops; the batch goes on after the next start.
        case suspended
        /// Its files cannot be read or written.
        case failed(any Error)
    }

    /// Queued lines below which the feeder reads on.
    static let lowWater = 256

    /// Short name inside this process.
    let number: Int
    /// The batch's id.
    let id: String
    /// The path of its requests.
    let endpoint: String
    /// When its lines go.
    let dispatchClass: DispatchClass
    /// Its requests at engines.
    let transfers = TransferGroup()
    /// Makes its answers durable.
    let committer: JobCommitter
    /// What it has so far.
    let results: EarlyResults
    /// Tells the feeder that the queue runs low.
    let demand: AsyncStream<Void>
    /// Tells the job's task what happens.
    let events: AsyncStream<Event>
    /// Tells that no request of an ending job is at an engine any more.
    let drained: AsyncStream<Void>

    private let demandSignal: AsyncStream<Void>.Continuation
    private let eventSignal: AsyncStream<Event>.Continuation
    private let drainedSignal: AsyncStream<Void>.Continuation
    private let queued = Atomic<Int>(0)
    private let inFlight = Atomic<Int>(0)
    private let ending = Atomic<Bool>(false)
    private let recordVersion = Atomic<Int64>(0)

    init(
        number: Int,
        id: String,
        endpoint: String,
        dispatchClass: DispatchClass,
        committer: JobCommitter,
        results: EarlyResults
    ) {
        self.number = number
        self.id = id
        self.endpoint = endpoint
        self.dispatchClass = dispatchClass
        self.committer = committer
        self.results = results
        (self.demand, self.demandSignal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        (self.events, self.eventSignal) = AsyncStream.makeStream()
        (self.drained, self.drainedSignal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Tells the job's task.
    func send(_ event: Event) {
        self.eventSignal.yield(event)
    }

    /// Whether nothing more may be sent.
    var isEnding: Bool { self.ending.load(ordering: .sequentiallyConsistent) }
    /// Whether no request is at an engine.
    var isDrained: Bool { self.inFlight.load(ordering: .sequentiallyConsistent) == 0 }
    /// Whether the feeder should wait.
    var hasEnoughQueued: Bool { self.queued.load(ordering: .relaxed) > Self.lowWater }

    /// From now on nothing is sent.
    func beginEnding() {
        self.ending.store(true, ordering: .sequentiallyConsistent)
        self.demandSignal.finish()
    }

    /// Whether a version of the batch's record is not older than all that were asked about. The dispatcher asks under its
    /// lock, so that what follows from it comes in the same order.
    func isNews(_ version: Int64) -> Bool {
        self.recordVersion.max(version, ordering: .relaxed).oldValue <= version
    }

    /// Lines wait for a place at an engine.
    func linesWereQueued(_ count: Int) {
        self.queued.add(count, ordering: .relaxed)
    }

    /// A line got a place; false when the job is ending and the line must not be sent.
    func take() -> Bool {
        self.inFlight.add(1, ordering: .sequentiallyConsistent)
        if self.queued.subtract(1, ordering: .relaxed).newValue == Self.lowWater {
            self.demandSignal.yield()
        }
        // Checked after the line counts as in flight: an ending job either sees it or stops it here.
        guard self.isEnding else { return true }
        self.requestEnded()
        return false
    }

    /// A request came back, however.
    func requestEnded() {
        let left = self.inFlight.subtract(1, ordering: .sequentiallyConsistent).newValue
        if left == 0, self.isEnding { self.drainedSignal.yield() }
    }
}
