import Synchronization

/// A request on its way and what has come of its answer.
final class Transfer: @unchecked Sendable {
    // Guard: the loop's thread, once it was submitted.

    let request: HTTPRequest
    let loop: CurlLoop
    private let onFinish: CurlClient.Completion
    var body: [UInt8] = []
    var bodyBytes = 0
    var startedAt: Int64 = 0
    var lastByteAt: Int64 = 0
    var hasFirstByte = false
    /// When the transfer was paused, for lack of memory or by its request; nil while it runs.
    var pausedAt: Int64?
    /// Its `onTurn` is to be called.
    var isTouched = false
    /// Where it runs.
    var connection: HTTPConnection?
    /// Resuming it was asked for and has not happened; for any thread.
    let isToResume = Atomic<Bool>(false)

    /// Whether its group or its control was cancelled.
    var isCancelled: Bool {
        self.request.group?.isCancelled == true || self.request.control?.isCancelled == true
    }

    /// Bytes held in `body`.
    var gatheredBytes: Int { self.request.onBody == nil ? self.bodyBytes : 0 }

    init(_ request: HTTPRequest, loop: CurlLoop, _ onFinish: @escaping CurlClient.Completion) {
        self.request = request
        self.loop = loop
        self.onFinish = onFinish
    }

    /// Tells the outcome; once.
    func end(_ result: Result<HTTPResponse, HTTPTransferError>) {
        self.request.control?.detach()
        self.onFinish(result)
    }
}
