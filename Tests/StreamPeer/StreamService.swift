import ProtoMessages
import ProtoRPC

/// A service with a method of each kind, as `Tests/EndToEnd/go_streams` has it too. The key `fail` ends a call in ABORTED.
enum StreamService {
    typealias Message = Envelope.KeyValue

    private static let name = "interop.v1.Streams"
    /// Gives the message back.
    static let echo = RPCMethod<Message, Message>(service: name, name: "Echo", roles: .everybody)
    /// Sends as many messages as the value says, the number of each as its key; an error after them if the key says so.
    static let count = RPCServerStreamMethod<Message, Message>(service: name, name: "Count", roles: .everybody)
    /// Answers with the number of messages as the key and their bytes, keys and values, as the value.
    static let sum = RPCClientStreamMethod<Message, Message>(service: name, name: "Sum", roles: .everybody)
    /// Gives each message back; ends after the one with the key `end`.
    static let mirror = RPCBidirectionalMethod<Message, Message>(service: name, name: "Mirror", roles: .everybody)

    static func router() -> RPCRouter {
        var router = RPCRouter()
        router.register(self.echo) { request, _ in try self.checked(request) }
        router.register(self.count) { request, writer, _ in
            for number in 0..<(Int(request.value) ?? 0) { try await writer.send(Message(key: String(number))) }
            _ = try self.checked(request)
        }
        router.register(self.sum) { messages, _ in
            var count = 0
            var bytes = 0
            for try await message in messages {
                bytes += try self.checked(message).key.utf8.count + message.value.utf8.count
                count += 1
            }
            return Message(key: String(count), value: String(bytes))
        }
        router.register(self.mirror) { messages, writer, _ in
            for try await message in messages {
                try await writer.send(self.checked(message))
                if message.key == "end" { return }
            }
        }
        return router
    }

    private static func checked(_ message: Message) throws -> Message {
        if message.key == "fail" { throw RPCError(code: .aborted, message: "as asked") }
        return message
    }
}
