import ProtoMessages
import ProtoRPC
import SchedulerStores
import Testing

@testable import SchedulerService

struct IdempotencyKeyTests {
    @Test("I-13 too many keys are a RESOURCE_EXHAUSTED that says when the oldest ends")
    func tooManyKeys() throws {
        let error = RPCErrors.store(.tooManyAnswers(secondsLeft: 60))
        #expect(error.code == .resourceExhausted)
        #expect(error.message.contains("10000") && error.message.contains("60 seconds"))
        let info = try ErrorInfo(serialized: #require(error.details.first).value)
        #expect(info.reason == "too_many_idempotency_keys" && info.retryAfterMilliseconds == 60_000)
    }
}
