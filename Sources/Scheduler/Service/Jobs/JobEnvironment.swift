import NIOPosix
import SchedulerCore
import SchedulerStores

/// What every job needs.
struct JobEnvironment: Sendable {
    let store: any MetadataStore
    let files: FileBytes
    let dispatcher: Dispatcher
    /// `jobs/` in the data directory; one directory a batch below it.
    let jobsDirectory: String
    /// Threads for reading and assembling.
    let threads: NIOThreadPool
    /// Threads that do nothing but commit.
    let commitThreads: NIOThreadPool
    let time: SystemTime
    let drainGrace: Duration

    func directory(of batchID: String) -> String { "\(self.jobsDirectory)/\(batchID)" }
}
