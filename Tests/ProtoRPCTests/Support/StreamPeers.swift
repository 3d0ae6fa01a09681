import NIOCore
import ProtoFraming
import ProtoMessages
import ProtoRPC

/// Methods of each kind under a short name, so that their envelopes can be written by hand.
enum StreamMethods {
    typealias Message = Envelope.KeyValue

    static let service = "t.S"
    static let unary = RPCMethod<Message, Message>(service: service, name: "U")
    static let server = RPCServerStreamMethod<Message, Message>(service: service, name: "S")
    static let client = RPCClientStreamMethod<Message, Message>(service: service, name: "C")
    static let both = RPCBidirectionalMethod<Message, Message>(service: service, name: "B")

    /// `U` gives its message back, `S` twice, `C` counts, `B` gives each back. A message with the key `fail` ends all
    /// of them in ABORTED.
    ///
    /// - Parameter onEventLoop: whether `S` and `B` are answered by responders.
    static func router(onEventLoop: Bool = false) -> RPCRouter {
        var router = RPCRouter()
        router.register(unary) { request, _ in try checked(request) }
        router.register(client) { messages, _ in
            var count = 0
            for try await message in messages {
                _ = try checked(message)
                count += 1
            }
            return Message(key: "\(count)")
        }
        if onEventLoop {
            router.registerOnEventLoop(server) { _, _ in EchoResponder(copies: 2) }
            router.registerOnEventLoop(both) { _, _ in EchoResponder(copies: 1) }
            return router
        }
        router.register(server) { request, writer, _ in
            for _ in 0..<2 {
                try await writer.send(checked(request))
            }
        }
        router.register(both) { messages, writer, _ in
            for try await message in messages {
                try await writer.send(checked(message))
            }
        }
        return router
    }

    static func checked(_ message: Message) throws -> Message {
        if message.key == "fail" { throw RPCError(code: .aborted, message: "no") }
        return message
    }

    /// An open of `C` or `B` as a peer sends it.
    static func open(_ streamID: UInt32, _ method: String, flags: FrameFlags = [.remoteOpen, .noData]) throws -> Frame {
        let envelope = Envelope.Request(service: service, method: method)
        return Frame(streamID: streamID, type: .request, flags: flags, data: try envelope.serialized())
    }

    static func data(_ streamID: UInt32, _ key: String, flags: FrameFlags = []) throws -> Frame {
        Frame(streamID: streamID, type: .data, flags: flags, data: try Message(key: key).serialized())
    }

    static func end(_ streamID: UInt32) -> Frame {
        Frame(streamID: streamID, type: .data, flags: [.remoteClosed, .noData])
    }
}

/// Gives messages back, so many times each, on the event loop.
final class EchoResponder: RPCStreamResponder {
    private let copies: Int
    private var steps: [RPCStreamStep<StreamMethods.Message>] = []

    init(copies: Int) {
        self.copies = copies
    }

    func received(_ message: StreamMethods.Message) {
        do {
            let step = RPCStreamStep.message(try StreamMethods.checked(message))
            self.steps += Array(repeating: step, count: self.copies)
        } catch {
            self.steps.append(.failed(RPCError(code: .aborted, message: "no")))
        }
    }

    func receivedEnd() {
        self.steps.append(.end)
    }

    func next() -> RPCStreamStep<StreamMethods.Message> {
        self.steps.isEmpty ? .wait : self.steps.removeFirst()
    }

    func ended(_: RPCError) {}
}

/// Bytes written as hex digits; spaces and line ends are for the reader.
func bytes(_ hex: String) -> ByteBuffer {
    var buffer = ByteBuffer()
    var rest = Substring(hex.filter { !$0.isWhitespace })
    while !rest.isEmpty {
        buffer.writeInteger(UInt8(rest.prefix(2), radix: 16) ?? 0)
        rest = rest.dropFirst(2)
    }
    return buffer
}

/// Messages that came together on stream 1: each holds its number.
func messageRun(_ count: Int) -> FrameRun? {
    var bytes = ByteBuffer()
    for number in 0..<count {
        Frame(streamID: 1, type: .data, data: ByteBuffer(string: "\(number)")).write(into: &bytes)
    }
    var decoder = FrameDecoder()
    decoder.append(bytes)
    return decoder.run()
}
