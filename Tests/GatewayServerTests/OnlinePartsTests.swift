import GatewayAPI
import NIOCore
import Testing

@testable import GatewayServer

/// What an online request holds, and who waits for it.
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

    @Test(
        "a body that is released before it is sent, since the engine has answered already, is sent whole",
        arguments: [1, 2]
    )
    func anEarlyAnswerLeavesTheBodyWhole(_ tries: Int) async throws {
        let budget = BodyBudget(maximumBytes: 10)
        let body = HeldBody(budget: budget)
        try body.append(ByteBuffer(string: "1234567"))
        // A try that was refused after it had taken the body.
        for _ in 1..<tries { for await _ in body.pieces() {} }
        let pieces = body.pieces()
        body.release()
        var sent: [String] = []
        for await piece in pieces { sent.append(String(buffer: piece)) }
        #expect(sent == ["1234567"] && budget.bytes == 0 && body.bytes.readableBytes == 0)
    }

    @Test func aBodyThatIsTooLargeIsRefusedWhateverRoomThereIs() throws {
        let body = HeldBody(budget: BodyBudget(maximumBytes: .max))
        try body.append(ByteBuffer(repeating: 0, count: InferenceRequest.maximumBytes))
        let error = #expect(throws: APIError.self) { try body.append(ByteBuffer(string: "x")) }
        #expect(error?.status == 413 && error?.code == "request_too_large")
    }

    @Test("A10-05 who waits for a client to leave is told once it has, before or after")
    func leaving() async {
        let client = ClientPresence()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<3 { group.addTask { await client.untilLeft() } }
            client.left()
        }
        await client.untilLeft()
        #expect(client.hasLeft)
    }

    @Test func whoDoesNotWaitAnyMoreIsLetGoWhileTheClientStays() async {
        let client = ClientPresence()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<3 { group.addTask { await client.untilLeft() } }
            group.cancelAll()
        }
        #expect(!client.hasLeft)
    }
}
