public import NIOCore

/// Runs tasks on an event loop.
///
/// A task that makes calls is resumed where their answers arrive, which spares two ways to another thread:
///
/// ```swift
/// let loop = group.next()  // also the `eventLoopGroup` of the client's configuration
/// await withTaskExecutorPreference(EventLoopTaskExecutor(loop)) { try await client.call(...) }
/// ```
///
/// It is for tasks that compute for microseconds between their suspensions, since nothing else happens on the event loop
/// meanwhile. The event loop has to outlive them: tasks of one that was shut down do not go on.
public final class EventLoopTaskExecutor: TaskExecutor {
    private let eventLoop: any EventLoop

    /// Makes an executor of tasks on `eventLoop`.
    public init(_ eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    /// Runs a part of a task in a later turn of the event loop.
    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        self.eventLoop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
