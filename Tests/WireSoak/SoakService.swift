import ProtoMessages
import ProtoRPC

/// The service under test. Numbers travel as text.
enum SoakService {
    typealias Text = Envelope.KeyValue

    private static let name = "soak.v1.Soak"
    static let echo = RPCMethod<Text, Text>(service: name, name: "Echo", roles: .gateway)
    /// Sends as many messages as the value says, the number of each as its key.
    static let count = RPCServerStreamMethod<Text, Text>(service: name, name: "Count", roles: .gateway)
    /// The same without a task.
    static let countAtOnce = RPCServerStreamMethod<Text, Text>(service: name, name: "CountAtOnce", roles: .gateway)
    /// Answers with the number of messages and the sum of their numbers.
    static let sum = RPCClientStreamMethod<Text, Text>(service: name, name: "Sum", roles: .gateway)
    static let mirror = RPCBidirectionalMethod<Text, Text>(service: name, name: "Mirror", roles: .gateway)

    static func router(_ ledger: Ledger) -> RPCRouter {
        var router = RPCRouter()
        router.register(self.echo) { request, _ in
            guard let id = UInt64(request.key) else { throw RPCError(code: .invalidArgument, message: "no number") }
            ledger.ran(id)
            // Some calls last longer than their callers wait.
            if id % 16 == 0 { try await Task.sleep(for: .milliseconds(id % 64)) }
            return request
        }
        router.register(self.count) { request, writer, _ in
            let payload = String(repeating: "x", count: Int(request.key) ?? 0)
            for number in 0..<(Int(request.value) ?? 0) {
                try await writer.send(Text(key: String(number), value: payload))
            }
        }
        router.registerOnEventLoop(self.countAtOnce) { _, _ in Counting() }
        router.register(self.sum) { messages, _ in
            var count = 0
            var sum = 0
            for try await message in messages {
                count += 1
                sum += Int(message.key) ?? 0
            }
            return Text(key: String(count), value: String(sum))
        }
        router.register(self.mirror) { messages, writer, _ in
            for try await message in messages { try await writer.send(message) }
        }
        return router
    }
}

/// Counts on the event loop.
private final class Counting: RPCStreamResponder {
    private var payload = ""
    private var numbers = 0..<0

    func received(_ request: SoakService.Text) {
        self.payload = String(repeating: "x", count: Int(request.key) ?? 0)
        self.numbers = 0..<max(Int(request.value) ?? 0, 0)
    }

    func receivedEnd() {}

    func next() -> RPCStreamStep<SoakService.Text> {
        guard let number = self.numbers.popFirst() else { return .end }
        return .message(SoakService.Text(key: String(number), value: self.payload))
    }

    func ended(_ error: RPCError) {}
}
