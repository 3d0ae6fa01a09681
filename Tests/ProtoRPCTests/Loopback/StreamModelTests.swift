import NIOCore
import ProtoFraming
import ProtoMessages
import ProtoRPC
import TestSupport
import Testing

/// A thousand streams whose frames are mixed at random, against a model of what each has to be answered.
@Suite(.serialized, .timeLimit(.minutes(2))) struct StreamModelTests {
    private typealias Methods = StreamMethods

    /// One stream: what its client sends and what the server has to answer.
    private struct Script {
        var sent: [Frame] = []
        var answer = Answer.exactly([])

        enum Answer {
            case exactly([Frame])
            /// A prefix of these messages, then a response with the code.
            case upTo([Frame], RPCStatus.Code)
        }
    }

    @Test("G7 1,000 interleaved streams are each answered as the model says", arguments: [1, 2], [false, true])
    func interleaved(seed: Int, onEventLoop: Bool) async throws {
        var random = SeededGenerator(seed: UInt64(seed))
        var scripts: [UInt32: Script] = [:]
        for index in 0..<1_000 {
            let streamID = UInt32(2 * index + 1)
            scripts[streamID] = try Self.script(streamID, &random)
        }
        let sent = Self.interleave(scripts, &random)
        let expected = scripts
        var configuration = RPCServerConfiguration()
        configuration.limits.fullStreamPatience = .seconds(600)
        try await withServer(configuration, router: Methods.router(onEventLoop: onEventLoop)) { server in
            try await withRawClient(port: server.port) { peer in
                try await peer.send(sent)
                let received = try await Self.receive(expected.count, from: peer)
                for (streamID, script) in expected {
                    Self.check(received[streamID] ?? [], script, "seed \(seed) stream \(streamID)")
                }
            }
        }
    }

    /// Reads until every stream has its terminal frame, and then that nothing else came.
    private static func receive(_ count: Int, from peer: RawConnection) async throws -> [UInt32: [Frame]] {
        var received: [UInt32: [Frame]] = [:]
        var ended = 0
        while ended < count {
            guard let frame = try await peer.nextFrame() else {
                Issue.record("the server closed the connection with \(count - ended) streams open")
                return received
            }
            received[frame.streamID, default: []].append(frame)
            if frame.type == .response || frame.flags.contains(.remoteClosed) { ended += 1 }
        }
        let last = Envelope.KeyValue(key: "last")
        try await peer.send(try request(9_999, service: StreamMethods.service, method: "U", last))
        #expect(try await peer.nextFrame() == response(9_999, last), "nothing follows the terminal frames (G4-03)")
        return received
    }

    private static func check(_ received: [Frame], _ script: Script, _ name: String) {
        switch script.answer {
        case .exactly(let frames):
            #expect(received == frames, "\(name)")
        case .upTo(let messages, let code):
            #expect(Array(messages.prefix(max(0, received.count - 1))) == Array(received.dropLast()), "\(name)")
            let status = received.last.flatMap { try? Envelope.Response(serialized: $0.data) }?.status
            #expect(received.last?.type == .response, "\(name)")
            #expect(status?.code == code.rawValue, "\(name)")
        }
    }

    private static func script(_ streamID: UInt32, _ random: inout SeededGenerator) throws -> Script {
        let keys = (0..<Int.random(in: 0...12, using: &random)).map { "\(streamID)-\($0)" }
        switch Int.random(in: 0...6, using: &random) {
        case 0:
            let message = Envelope.KeyValue(key: "\(streamID)")
            let sent = try request(streamID, service: Methods.service, method: "U", message)
            return Script(sent: [sent], answer: .exactly([try response(streamID, message)]))
        case 1:
            let message = Envelope.KeyValue(key: "\(streamID)")
            let sent = try request(streamID, service: Methods.service, method: "S", message, flags: .remoteClosed)
            let data = try Methods.data(streamID, "\(streamID)")
            return Script(sent: [sent], answer: .exactly([data, data, Methods.end(streamID)]))
        case 2:
            let answer = try response(streamID, Envelope.KeyValue(key: "\(keys.count)"))
            return Script(sent: try self.stream(streamID, "C", keys), answer: .exactly([answer]))
        case 3, 4:
            let echoes = try keys.map { try Methods.data(streamID, $0) }
            let sent = try self.stream(streamID, "B", keys)
            return Script(sent: sent, answer: .exactly(echoes + [Methods.end(streamID)]))
        case 5:
            // Fails at its last message.
            let echoes = try keys.map { try Methods.data(streamID, $0) }
            let sent = try self.stream(streamID, "B", keys + ["fail"]).dropLast()
            return Script(sent: Array(sent), answer: .upTo(echoes, .aborted))
        default:
            // Closes with a message (G4-01): what was echoed before is a matter of time.
            let echoes = try keys.map { try Methods.data(streamID, $0) }
            var sent = try self.stream(streamID, "B", keys)
            sent[sent.count - 1] = try Methods.data(streamID, "last", flags: .remoteClosed)
            return Script(sent: sent, answer: .upTo(echoes, .invalidArgument))
        }
    }

    private static func stream(_ streamID: UInt32, _ method: String, _ keys: [String]) throws -> [Frame] {
        [try Methods.open(streamID, method)] + (try keys.map { try Methods.data(streamID, $0) })
            + [Methods.end(streamID)]
    }

    /// All frames in one random order that keeps the order of each stream. Streams open out of order, but within the
    /// window of late ids (G5-14).
    private static func interleave(_ scripts: [UInt32: Script], _ random: inout SeededGenerator) -> ByteBuffer {
        var bytes = ByteBuffer()
        let ids = scripts.keys.sorted()
        let order = stride(from: 0, to: ids.count, by: 200).flatMap {
            ids[$0..<min($0 + 200, ids.count)].shuffled(using: &random)
        }
        var waiting = order.map { scripts[$0]?.sent[...] ?? [] }[...]
        var open: [ArraySlice<Frame>] = []
        while !waiting.isEmpty || !open.isEmpty {
            while open.count < 400, var next = waiting.popFirst() {
                next.popFirst()?.write(into: &bytes)
                open.append(next)
            }
            let index = Int.random(in: 0..<open.count, using: &random)
            if let frame = open[index].popFirst() {
                frame.write(into: &bytes)
            } else {
                open.remove(at: index)
            }
        }
        return bytes
    }
}
