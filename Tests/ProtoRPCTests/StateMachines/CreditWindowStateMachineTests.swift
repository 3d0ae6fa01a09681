import ProtoMessages
import ProtoRPC
import Testing

struct CreditWindowStateMachineTests {
    @Test("G6-02 a sender begins with 32 messages or 1 MiB and then waits for a grant")
    func beginsWithAWindow() throws {
        var small = CreditSenderStateMachine()
        var sent = 0
        while small.take(bytes: 1) { sent += 1 }
        #expect(sent == 32)
        try small.granted(Credit(messages: 1, bytes: 0))
        let more = [small.take(bytes: 1), small.take(bytes: 1)]
        #expect(more == [true, false])

        var large = CreditSenderStateMachine()
        sent = 0
        while large.take(bytes: CreditWindow.maximumChunkBytes) { sent += 1 }
        #expect(sent == 4 && large.maximumChunkBytes == 0)
        try large.granted(Credit(messages: 0, bytes: 5))
        #expect(large.maximumChunkBytes == 5)
    }

    @Test(
        "G6-02 grants for more than 64 messages on their way break the protocol",
        arguments: [
            (Credit(messages: 32, bytes: 0), true), (Credit(messages: 33, bytes: 0), false),
            (Credit(messages: .max, bytes: 0), false), (Credit(messages: 0, bytes: 15 << 20), true),
            (Credit(messages: 0, bytes: 15 << 20 + 1), false), (Credit(messages: 0, bytes: .max), false),
        ]
    )
    func grantsAreBounded(_ credit: Credit, _ isAllowed: Bool) {
        var sender = CreditSenderStateMachine()
        do throws(RPCError) {
            try sender.granted(credit)
            #expect(isAllowed)
        } catch {
            #expect(!isAllowed && error.code == .invalidArgument)
        }
    }

    @Test("G6-02 who sends more than its credit breaks the protocol")
    func overCreditIsRefused() throws {
        var messages = CreditReceiverStateMachine()
        for _ in 0..<32 { try messages.received(bytes: 1) }
        #expect(throws: RPCError.self) { try messages.received(bytes: 1) }
        var bytes = CreditReceiverStateMachine()
        try bytes.received(bytes: 1 << 20)
        #expect(throws: RPCError.self) { try bytes.received(bytes: 1) }
    }

    @Test("G6-02 a grant is for half a window, of messages or of bytes")
    func grantsComeInHalves() throws {
        var messages = CreditReceiverStateMachine()
        var grants: [Credit?] = []
        for _ in 0..<16 {
            try messages.received(bytes: 10)
            grants.append(messages.consumed(bytes: 10))
        }
        #expect(grants.dropLast().allSatisfy { $0 == nil })
        #expect(grants.last == Credit(messages: 16, bytes: 160))
        var bytes = CreditReceiverStateMachine()
        try bytes.received(bytes: 256 << 10)
        try bytes.received(bytes: 256 << 10)
        let first = bytes.consumed(bytes: 256 << 10)
        let second = bytes.consumed(bytes: 256 << 10)
        #expect(first == nil && second == Credit(messages: 2, bytes: 512 << 10))
    }

    @Test("G6-02 whatever the sizes, a sender whose chunks were all consumed may send the longest chunk")
    func nobodyStarves() throws {
        for bytes in [1, 16 << 10, 65_537, 200_001, 256 << 10] {
            var sender = CreditSenderStateMachine()
            var receiver = CreditReceiverStateMachine()
            for _ in 0..<200 {
                #expect(sender.maximumChunkBytes == CreditWindow.maximumChunkBytes)
                let isTaken = sender.take(bytes: bytes)
                #expect(isTaken)
                try receiver.received(bytes: bytes)
                if let credit = receiver.consumed(bytes: bytes) { try sender.granted(credit) }
            }
        }
    }
}
