import SchedulerCore
import SchedulerStores

/// What every job needs.
struct JobEnvironment: Sendable {
    let store: any MetadataStore
    let bytes: FileBytes
    let dispatcher: Dispatcher
    let ownership: OwnershipKeeper
    let platform: Platform
    /// `jobs/` in the data directory; one directory a batch below it.
    let jobsDirectory: String
    /// How long an ending batch waits for the answers that are under way.
    let drainGrace: Duration

    func directory(of batchID: String) -> String { "\(self.jobsDirectory)/\(batchID)" }
}
