/// An HTTP/1.1 client with a thread of its own: libcurl makes the connections, TLS included, and the client speaks HTTP over
/// them.
///
/// Connections are kept alive and reused. Redirects are not followed, proxies of the environment are not used, answers
/// are not decompressed: what the server says is what the caller gets. A request is written to one connection only: when a
/// kept one turns out to be closed, whether to send the request again is for the caller to decide.
public final class CurlClient: Sendable {
    /// Settings.
    public struct Configuration: Sendable {
        /// Bytes of answers that are being gathered, over all transfers; beyond, all but one pause. What `onBody` takes
        /// does not count.
        public var maximumGatheredBytes = 64 << 20
        /// A file of the certificate authorities, in PEM, that servers are trusted by; nil: those of the system.
        public var certificateAuthorities: String?

        /// The documented defaults.
        public init() {}
    }

    /// Gets the outcome, on the client's thread.
    public typealias Completion = @Sendable (Result<HTTPResponse, HTTPTransferError>) -> Void

    private let loop: CurlLoop

    /// Starts the thread.
    public init(_ configuration: Configuration = Configuration()) {
        self.loop = CurlLoop(configuration)
        self.loop.start()
    }

    deinit {
        self.loop.shutdown()
    }

    /// Sends a request.
    ///
    /// `onFinish` is called exactly once, on the client's thread, and must not block. It may start the next request,
    /// which then goes out in the same turn of the loop.
    public func start(_ request: HTTPRequest, onFinish: @escaping Completion) {
        self.loop.submit(Transfer(request, loop: self.loop, onFinish))
    }

    /// Cancels a group and has the client notice at once.
    public func cancel(_ group: TransferGroup) {
        group.cancel()
        self.loop.sweepNow()
    }

    /// Sends a request and waits for its answer; cancelling the task cancels the request.
    public func send(_ request: HTTPRequest) async throws(HTTPTransferError) -> HTTPResponse {
        var request = request
        let group = request.group ?? TransferGroup()
        request.group = group
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                self.start(request) { continuation.resume(returning: $0) }
            }
        } onCancel: {
            self.cancel(group)
        }
        return try result.get()
    }

    /// Fails what is in flight with `shutDown` and ends the thread. Blocks until it has ended; do not call it from
    /// the client's thread. Requests started later fail at once.
    public func shutdown() {
        self.loop.shutdown()
    }
}
