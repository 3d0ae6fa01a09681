import SchedulerCore

extension ResultRecord {
    /// Makes the record of an answer. A body that is not UTF-8 JSON becomes an error line, whatever its status.
    init(_ answer: LineAnswer, epoch: UInt32) {
        self.init(
            line: UInt32(truncatingIfNeeded: answer.line),
            epoch: epoch,
            attempts: answer.attempts,
            status: 0,
            outcome: .failure,
            usage: TokenUsage(),
            requestID: [],
            body: []
        )
        switch answer.content {
        case .failed(let error):
            self.body = error.json
        case .answered(let status, let requestID, let body):
            self.take(status: status, requestID: requestID, body: body)
        }
    }

    private mutating func take(status: Int, requestID: String, body: [UInt8]) {
        let answer: AnswerBody
        do {
            answer = try AnswerBody(body)
        } catch {
            self.body =
                LineError(
                    code: "invalid_engine_answer",
                    message: "The engine answered status \(status) with a body that is not JSON: \(error)"
                ).json
            return
        }
        self.status = UInt16(clamping: status)
        self.requestID = Array(requestID.utf8.prefix(Int(UInt8.max)))
        self.outcome = (200..<300).contains(status) ? .success : .refused
        if self.outcome == .success {
            self.usage = answer.usage ?? TokenUsage()
        }
        self.body = answer.bytes
    }
}
