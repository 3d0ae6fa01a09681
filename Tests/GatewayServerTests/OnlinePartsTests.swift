import GatewayAPI
import NIOCore
import Testing

@testable import GatewayServer

/// What an online request holds.
@Suite(.timeLimit(.minutes(1)))
struct OnlinePartsTests {
    @Test func bodiesShareABudgetAndGiveItBack() throws {
        let budget = BodyBudget(maximumBytes: 10)
        let first = HeldBody(budget: budget)
        try first.append(ByteBuffer(string: "1234"))
        try first.append(ByteBuffer(string: "567"))
        #expect(String(buffer: first.bytes) == "1234567" && budget.bytes == 7)
        do {
            let second = HeldBody(budget: budget)
            try second.append(ByteBuffer(string: "12"))
            let error = #expect(throws: APIError.self) { try second.append(ByteBuffer(string: "34")) }
            #expect(error?.status == 503 && error?.code == "slow_down")
            #expect(budget.bytes == 9, "what was refused is not counted")
        }
        #expect(budget.bytes == 7, "a body that is given up gives back what it held")
        first.release()
        first.release()
        #expect(budget.bytes == 0 && first.bytes.readableBytes == 0)
        try first.append(ByteBuffer(string: "1234567890"))
    }

    @Test func aBodyThatIsTooLargeIsRefusedWhateverRoomThereIs() throws {
        let body = HeldBody(budget: BodyBudget(maximumBytes: .max))
        try body.append(ByteBuffer(repeating: 0, count: InferenceRequest.maximumBytes))
        let error = #expect(throws: APIError.self) { try body.append(ByteBuffer(string: "x")) }
        #expect(error?.status == 413 && error?.code == "request_too_large")
    }
}
