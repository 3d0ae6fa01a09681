import NIOCore
import ProtoMessages
import Testing

@testable import ProtoRPC

/// A request to an engine and its answer, as the client sees them.
struct InferenceCallStateMachineTests {
    private static func machine(body: Int) -> InferenceCallStateMachine {
        let head = InferHead(requestClass: .online, model: "m", path: "/v1/embeddings")
        return InferenceCallStateMachine(head: head, body: ByteBuffer(repeating: 7, count: body))
    }

    /// Kinds and sizes of all messages that can be sent now.
    private static func sent(_ machine: inout InferenceCallStateMachine) -> [String] {
        var sent: [String] = []
        while let message = machine.next() {
            switch message.part {
            case .head(let head): sent.append("head \(head.contentBytes)")
            case .chunk(let chunk): sent.append("chunk \(chunk.sequence): \(chunk.data.readableBytes)")
            case .credit(let credit): sent.append("credit \(credit.messages)")
            case nil: sent.append("nothing")
            }
        }
        return sent
    }

    private static func answer(_ status: UInt32) -> InferResponse {
        InferResponse(part: .head(InferAnswerHead(status: status)))
    }

    private static func chunk(_ sequence: UInt64, _ text: String) -> InferResponse {
        InferResponse(part: .chunk(InferChunk(sequence: sequence, data: ByteBuffer(string: text))))
    }

    @Test("head and body of a small request leave at once, and the answer is told of once")
    func small() throws {
        var machine = Self.machine(body: 1_000)
        machine.begin()
        #expect(Self.sent(&machine) == ["head 1000", "chunk 0: 1000"])
        let nothing = machine.take()
        #expect(nothing == nil)
        var isTold = machine.shouldTell()
        #expect(!isTold)
        #expect(try machine.received(Self.answer(200)) == false)
        isTold = machine.shouldTell()
        #expect(isTold)
        _ = try machine.received(Self.chunk(0, "yes"))
        try machine.ended()
        isTold = machine.shouldTell()
        #expect(!isTold, "who was told takes until there is nothing")
        #expect(machine.take() == .head(InferAnswerHead(status: 200)))
        #expect(machine.take() == .piece(ByteBuffer(string: "yes")))
        #expect(machine.take() == .end)
    }

    @Test("G6-02 a body of any size leaves as far as there is credit")
    func credits() throws {
        var machine = Self.machine(body: (1 << 20) + 10)
        machine.begin()
        #expect(Self.sent(&machine).count == 5, "the head and four chunks of 256 KiB")
        #expect(try machine.received(InferResponse(part: .credit(Credit(messages: 1, bytes: 1 << 20)))))
        #expect(Self.sent(&machine) == ["chunk 4: 10"])
    }

    @Test("a call that was not accepted begins anew with all of its body; one that is answered keeps none")
    func anew() throws {
        var machine = Self.machine(body: 300_000)
        for _ in 0..<2 {
            machine.begin()
            #expect(Self.sent(&machine) == ["head 300000", "chunk 0: 262144", "chunk 1: 37856"])
            #expect(!machine.isAnswered)
        }
        _ = try machine.received(Self.answer(200))
        #expect(machine.isAnswered)
        machine.begin()
        #expect(Self.sent(&machine) == ["head 300000"])
    }

    @Test("what came before a failure is taken before it")
    func failure() throws {
        var machine = Self.machine(body: 1)
        machine.begin()
        _ = try machine.received(Self.answer(200))
        _ = try machine.received(Self.chunk(0, "half"))
        let error = RPCError(code: .unknown, message: "gone")
        machine.fail(error)
        let taken = [machine.take(), machine.take(), machine.take()]
        #expect(
            taken == [.head(InferAnswerHead(status: 200)), .piece(ByteBuffer(string: "half")), .failed(error)]
        )
        #expect(Self.sent(&machine) == ["head 1"], "nothing of the body is held for it")
    }

    @Test("what a server must not send is its fault")
    func violations() throws {
        var machine = Self.machine(body: 1)
        machine.begin()
        let error = #expect(throws: RPCError.self) { try machine.received(Self.chunk(0, "x")) }
        #expect(error?.code == .internal)
        let end = #expect(throws: RPCError.self) { try machine.ended() }
        #expect(end?.code == .internal)
    }

    @Test("credits are given for what was taken")
    func grants() throws {
        var machine = Self.machine(body: 1)
        machine.begin()
        _ = Self.sent(&machine)
        _ = try machine.received(Self.answer(200))
        for number in 0..<16 { _ = try machine.received(Self.chunk(UInt64(number), "x")) }
        for _ in 0..<16 { _ = machine.take() }
        #expect(!machine.hasGrant)
        _ = machine.take()
        #expect(machine.hasGrant)
        #expect(Self.sent(&machine) == ["credit 16"])
    }
}
