import Logging
import ProtoMessages
import ProtoRPC
import ServiceLifecycle

/// Tells schedulers about uploads that were given up, apart from the requests that began them.
///
/// A request that fails is answered at once and may be cancelled; its staged bytes are still thrown away. What does not
/// reach the scheduler vanishes there an hour later.
struct UploadJanitor: Service {
    /// An upload that will not be completed.
    struct AbandonedUpload: Sendable {
        var uploadID: String
        var endpoint: RPCClient.Endpoint
        var calls: SchedulerCalls
    }

    /// Abandoned uploads waiting; the oldest are dropped.
    private static let maximumWaiting = 1_024
    private static let timeout = Duration.seconds(5)

    private let uploads: AsyncStream<AbandonedUpload>
    private let inbox: AsyncStream<AbandonedUpload>.Continuation
    private let logger: Logger

    init(logger: Logger) {
        self.logger = logger
        (self.uploads, self.inbox) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(Self.maximumWaiting))
    }

    /// Takes note of an upload; returns at once.
    func abandon(_ upload: AbandonedUpload) {
        self.inbox.yield(upload)
    }

    /// Works until graceful shutdown, then through what still waits.
    func run() async {
        await withGracefulShutdownHandler {
            for await upload in self.uploads {
                await self.abort(upload)
            }
        } onGracefulShutdown: {
            self.inbox.finish()
        }
    }

    private func abort(_ upload: AbandonedUpload) async {
        do throws(RPCError) {
            _ = try await upload.calls.reply(
                FilesService.abortUpload,
                AbortUploadRequest(uploadID: upload.uploadID),
                endpoint: upload.endpoint,
                timeout: Self.timeout
            )
        } catch {
            self.logger.debug("an upload could not be aborted", metadata: ["error": "\(error)"])
        }
    }
}
