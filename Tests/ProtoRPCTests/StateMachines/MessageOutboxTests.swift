import NIOCore
import ProtoFraming
import ProtoMessages
import TestSupport
import Testing

@testable import ProtoRPC

/// Messages of a stream between the task that sends them and the event loop.
@Suite struct MessageOutboxTests {
    @Test("messages leave in their order, each in a frame of its own", arguments: 0..<50)
    func order(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        var outbox = MessageOutbox()
        var expected: [Frame] = []
        for _ in 0..<Int.random(in: 1...40, using: &random) {
            let message = Envelope.KeyValue(
                value: String(repeating: "x", count: Int.random(in: 0...3_000, using: &random))
            )
            let data = try message.serialized()
            if Bool.random(using: &random) {
                outbox.append(data, streamID: 7)
            } else {
                #expect(try self.append(message, to: &outbox))
            }
            expected.append(Frame(streamID: 7, type: .data, data: data))
        }
        #expect(!outbox.isEmpty)
        let taken = outbox.take()
        #expect(outbox.isEmpty)
        #expect(try Self.frames(in: taken) == expected, "seed \(seed)")
        #expect(outbox.take().isEmpty)
    }

    @Test("a message without room, or too long for a frame, leaves nothing behind")
    func refused() throws {
        var outbox = MessageOutbox()
        let message = Envelope.KeyValue(key: "abc")
        #expect(try self.append(message, to: &outbox))
        #expect(try !self.append(message, to: &outbox, reserve: { _ in false }))
        #expect {
            try self.append(message, to: &outbox, maximumDataBytes: 4)
        } throws: { ($0 as? RPCError)?.code == .resourceExhausted }
        let taken = outbox.take()
        #expect(try Self.frames(in: taken).count == 1)
    }

    @Test("room is asked for with the size of the message")
    func room() throws {
        var outbox = MessageOutbox()
        var asked: [Int] = []
        #expect(
            try self.append(Envelope.KeyValue(key: "abc"), to: &outbox) {
                asked.append($0)
                return true
            }
        )
        #expect(asked == [5])
    }

    private func append(
        _ message: Envelope.KeyValue,
        to outbox: inout MessageOutbox,
        maximumDataBytes: Int = 4 << 20,
        reserve: (Int) -> Bool = { _ in true }
    ) throws -> Bool {
        try outbox.append(message, streamID: 7, maximumDataBytes: maximumDataBytes, reserve: reserve)
    }

    private static func frames(in taken: [ByteBuffer]) throws -> [Frame] {
        var decoder = FrameDecoder()
        for buffer in taken { decoder.append(buffer) }
        var frames: [Frame] = []
        while case .frame(let frame) = try decoder.next() { frames.append(frame) }
        return frames
    }
}
