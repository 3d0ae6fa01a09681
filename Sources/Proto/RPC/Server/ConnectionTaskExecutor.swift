import NIOCore
import Synchronization

/// Runs the tasks of a connection's calls on its event loop, so that a call whose handler only computes is answered without
/// another thread.
///
/// Once the connection is gone it runs them on the threads that all tasks share: an event loop that was shut down drops what
/// it is told to do, and the server, which waits for its tasks, would never end.
final class ConnectionTaskExecutor: TaskExecutor {
    private let eventLoop: any EventLoop
    /// Whether the connection is gone. Held while a job is handed over: an event loop that is shut down closes its connections,
    /// and then does all that it was told before.
    private let hasLeft = Mutex(false)

    init(_ eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let isTaken = self.hasLeft.withLock { hasLeft in
            if !hasLeft { self.eventLoop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) } }
            return !hasLeft
        }
        if !isTaken { globalConcurrentExecutor.enqueue(job) }
    }

    /// On the event loop: the connection is gone.
    func leave() {
        self.hasLeft.withLock { $0 = true }
    }
}
