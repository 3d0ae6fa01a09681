import NIOEmbedded
import Testing

@testable import ProtoRPC

/// Room that is taken for many messages at once.
@Suite struct OutboundRoomTests {
    @Test("room is taken once for many messages, and what they leave of it is given back")
    func batch() {
        let budget = OutboundBudget(limit: 1 << 20)
        var room = OutboundRoom(of: budget)
        let taken = (0..<10).count { _ in room.take(100) }
        #expect(taken == 10)
        #expect(budget.usedBytes == 64 << 10)
        #expect(room.takenBytes == 1_000)
        let ends = [room.end(), room.end()]
        #expect(ends == [1_000, 0])
        #expect(budget.usedBytes == 1_000)
        budget.release(1_000)
        #expect(budget.usedBytes == 0)
    }

    @Test(
        "G6-11 messages of all sizes together take no more than the limit, to the last byte",
        arguments: [1, 100, 70_000]
    )
    func limit(bytes: Int) {
        let limit = 200_000
        let budget = OutboundBudget(limit: limit)
        var room = OutboundRoom(of: budget)
        var taken = 0
        while room.take(bytes) {
            taken += bytes
            #expect(budget.usedBytes <= limit)
        }
        #expect(taken == limit / bytes * bytes)
        let end = room.end()
        #expect(end == taken)
        #expect(budget.usedBytes == taken)
    }

    @Test("a message that is longer than the limit goes when nothing else is on its way")
    func longMessage() {
        let budget = OutboundBudget(limit: 1_000)
        var room = OutboundRoom(of: budget)
        let first = [room.take(10), room.take(5_000)]
        #expect(first == [true, false])
        budget.release(room.end())
        let second = [room.take(5_000), room.take(1)]
        #expect(second == [true, false])
        #expect(budget.usedBytes == 5_000)
    }

    @Test("G6-11 a stream that is granted room in the middle of its turn takes it with its next one, and only once")
    func grantInATurn() throws {
        let channel = EmbeddedChannel()
        defer { _ = try? channel.finish() }
        let connection = try ServerConnection.make(
            on: channel,
            number: 1,
            configuration: RPCServerConfiguration(),
            router: RPCRouter(),
            logger: quietLogger
        )
        let waker = RPCStreamWaker(streamID: 1, connection: connection)
        let budget = OutboundBudget(limit: 1_000)
        #expect(budget.reserveNow(1_000))
        var first = OutboundRoom(of: budget, for: waker)
        let isTaken = first.take(600)
        #expect(!isTaken)
        // As another thread does it between two steps of the stream's connection.
        var second = OutboundRoom(of: budget, for: waker)
        budget.release(1_000)
        #expect(budget.reserveNow(400))
        let isTakenInTheMiddle = second.take(600)
        #expect(!isTakenInTheMiddle)
        let ends = [first.end(), second.end()]
        #expect(ends == [0, 0])
        #expect(budget.usedBytes == 1_000, "the grant is not lost")
        var third = OutboundRoom(of: budget, for: waker)
        let isTakenAtLast = third.take(600)
        #expect(isTakenAtLast)
        budget.release(third.end())
        budget.release(400)
        #expect(budget.usedBytes == 0)
    }

    @Test("while somebody waits for room, and after the end, nobody takes room for a batch")
    func turns() {
        var machine = OutboundBudgetStateMachine<Int>(limit: 100)
        var granted = [machine.reserveSome(upTo: 60)]
        let action = machine.reserve(50)
        #expect(action == .mustWait)
        machine.wait(1, bytes: 50, ticket: 1)
        granted.append(machine.reserveSome(upTo: 10))
        let woken = machine.release(60)
        #expect(woken == [1])
        granted.append(machine.reserveSome(upTo: 60))
        granted.append(machine.reserveSome(upTo: 60))
        #expect(machine.usedBytes == 100)
        _ = machine.close()
        _ = machine.release(100)
        granted.append(machine.reserveSome(upTo: 60))
        #expect(granted == [60, 0, 50, 0, 0])
    }
}
