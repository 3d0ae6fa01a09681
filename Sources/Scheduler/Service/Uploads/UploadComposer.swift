import Logging
import SchedulerCore
import ServiceLifecycle
import Synchronization

/// Completes uploads apart from the calls that ask for it: gigabytes take longer than a caller may wait, and whoever asks
/// again joins what goes on.
final class UploadComposer: Service {
    /// Completions at a time; they share the threads with everything that reads and assembles files.
    static let maximumRunning = 2
    /// Completions under way or waiting.
    static let maximumWaiting = 64

    private final class Job: Sendable {
        let request: CompletionRequest
        let waiters = Waiters()
        let result = Mutex<Result<UploadRecord, any Error>?>(nil)

        init(_ request: CompletionRequest) {
            self.request = request
        }

        func end(_ result: Result<UploadRecord, any Error>) {
            self.result.withLock { $0 = $0 ?? result }
            self.waiters.wakeAll()
        }
    }

    private struct State {
        /// By upload and request.
        var jobs: [String: Job] = [:]
        var isClosed = false
    }

    private let state = Mutex(State())
    private let jobs: AsyncStream<Job>
    private let inbox: AsyncStream<Job>.Continuation
    private let completion: UploadCompletion
    private let logger: Logger

    init(completion: UploadCompletion, logger: Logger) {
        self.completion = completion
        self.logger = logger
        (self.jobs, self.inbox) = AsyncStream.makeStream(bufferingPolicy: .unbounded)
    }

    /// Works until shutdown, which stops what is under way: the uploads stay pending.
    func run() async throws {
        await self.completion.platform.untilShutdown {
            await withTaskGroup(of: Void.self) { group in
                var running = 0
                for await job in self.jobs {
                    if running >= Self.maximumRunning {
                        await group.next()
                        running -= 1
                    }
                    group.addTask { await self.perform(job) }
                    running += 1
                }
            }
        }
        let left = self.state.withLock { state in
            state.isClosed = true
            return Array(state.jobs.values)
        }
        for job in left { self.end(job, .failure(RPCErrors.completionStopped)) }
    }

    /// Completes an upload, or joins the same completion that goes on. A caller that is cancelled stops waiting and
    /// nothing else.
    func complete(_ request: CompletionRequest) async throws -> UploadRecord {
        let job = try self.job(for: request)
        while true {
            let generation = job.waiters.generation
            if let result = job.result.withLock({ $0 }) { return try result.get() }
            try Task.checkCancellation()
            await job.waiters.wait(since: generation)
        }
    }

    private func job(for request: CompletionRequest) throws -> Job {
        try self.state.withLock { state in
            guard !state.isClosed else { throw RPCErrors.completionStopped }
            let key = Self.key(request)
            if let job = state.jobs[key] { return job }
            guard state.jobs.count < Self.maximumWaiting else { throw RPCErrors.tooManyCompletions }
            let job = Job(request)
            state.jobs[key] = job
            // Bounded by the line before the last.
            self.inbox.yield(job)
            return job
        }
    }

    private func perform(_ job: Job) async {
        do {
            self.end(job, .success(try await self.completion.run(job.request)))
        } catch is CancellationError {
            self.end(job, .failure(RPCErrors.completionStopped))
        } catch {
            self.logger.info(
                "an upload was not completed",
                metadata: ["upload": "\(job.request.uploadID)", "error": "\(error)"]
            )
            self.end(job, .failure(error))
        }
    }

    private func end(_ job: Job, _ result: Result<UploadRecord, any Error>) {
        _ = self.state.withLock { $0.jobs.removeValue(forKey: Self.key(job.request)) }
        job.end(result)
    }

    private static func key(_ request: CompletionRequest) -> String { request.uploadID + " " + request.identity }
}
