import CurlHTTP
import SchedulerCore

/// One line on its way to an engine.
struct LineRequest: Sendable {
    /// Whose line it is.
    let job: RunningJob
    /// 0-based number among the file's requests.
    let line: Int
    /// The model its body names.
    let model: String
    /// The body as the client wrote it.
    let body: [UInt8]
    /// Counted attempts so far.
    var attempts: UInt16 = 0
}

/// How a line ended, before it is made a record.
struct LineAnswer: Sendable {
    /// What there is to keep.
    enum Content: Sendable {
        /// An HTTP answer.
        case answered(status: Int, requestID: String, body: [UInt8])
        /// No usable answer.
        case failed(LineError)
    }

    var line: Int
    /// Counted attempts, the last one included.
    var attempts: UInt16
    var content: Content

    /// Bytes that wait for the commit.
    var bytes: Int {
        if case .answered(_, _, let body) = self.content { return body.count + 64 }
        return 256
    }
}
