import ProtoMessages
import ProtoRPC

/// The calls of a client to a server of `StreamService`, and what they found, by name.
struct StreamCalls {
    typealias Message = StreamService.Message

    let client: RPCClient

    func run() async throws -> [String: String] {
        [
            "echo": try await self.client.call(StreamService.echo, Message(key: "k", value: "v")).value,
            "server stream": try await self.count("", 5_000),
            "server stream of nothing": try await self.count("", 0),
            "server stream that fails": try await self.count("fail", 3),
            "client stream": try await self.sum(Array(repeating: Message(key: "12", value: "345"), count: 3_000)),
            "client stream of nothing": try await self.sum([]),
            "client stream of empty messages": try await self.sum(Array(repeating: Message(), count: 10)),
            "client stream that fails": try await self.sum([Message(), Message(key: "fail")]),
            "both ways in turns": try await self.turns(500),
            "both ways at once": try await self.together(5_000),
            "both ways, ended by the server": try await self.endedByServer(),
            "both ways, failed": try await self.failed(),
            "200 streams at once": try await self.manyAtOnce(200),
        ]
    }

    /// How many messages came in order, and how the stream ended.
    private func count(_ key: String, _ count: Int) async throws -> String {
        try await self.client.withStream(StreamService.count, Message(key: key, value: String(count))) { messages in
            var found = 0
            let code = try await self.code {
                for try await message in messages where message.key == String(found) { found += 1 }
            }
            return "\(found) \(code)"
        }
    }

    private func sum(_ messages: [Message]) async throws -> String {
        var answer = Message()
        let code = try await self.code {
            answer = try await self.client.withStream(StreamService.sum) { writer in
                for message in messages { try await writer.send(message) }
            }
        }
        return code == "ok" ? "\(answer.key) \(answer.value)" : code
    }

    private func turns(_ count: Int) async throws -> String {
        try await self.client.withStream(StreamService.mirror) { writer, messages in
            var answers = messages.makeAsyncIterator()
            for number in 0..<count {
                try await writer.send(Message(key: String(number)))
                guard try await answers.next()?.key == String(number) else { return "wrong at \(number)" }
            }
            writer.finish()
            return try await answers.next() == nil ? "\(count) ok" : "no end"
        }
    }

    private func together(_ count: Int) async throws -> String {
        try await self.client.withStream(StreamService.mirror) { writer, messages in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    for number in 0..<count { try await writer.send(Message(key: String(number), value: "x")) }
                    writer.finish()
                }
                var found = 0
                for try await message in messages where message.key == String(found) { found += 1 }
                try await group.waitForAll()
                return "\(found) ok"
            }
        }
    }

    private func endedByServer() async throws -> String {
        try await self.client.withStream(StreamService.mirror) { writer, messages in
            try await writer.send(Message(key: "end"))
            var found = 0
            for try await _ in messages { found += 1 }
            return "\(found) ok"
        }
    }

    private func failed() async throws -> String {
        try await self.code {
            try await self.client.withStream(StreamService.mirror) { writer, messages in
                try await writer.send(Message(key: "fail"))
                for try await _ in messages {}
            }
        }
    }

    private func manyAtOnce(_ count: Int) async throws -> String {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<count { group.addTask { try await self.turns(10) == "10 ok" } }
            return "\(try await group.reduce(0) { $0 + ($1 ? 1 : 0) }) ok"
        }
    }

    /// `ok`, or the code of the error that ended a call.
    private func code(_ body: () async throws -> Void) async throws -> String {
        do {
            try await body()
            return "ok"
        } catch let error as RPCError {
            return "\(error.code)"
        }
    }
}
