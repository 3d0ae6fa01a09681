import ProtoMessages
import ProtoRPC
import Synchronization
import TestSupport

/// Callers of every kind, each until its task is cancelled.
struct Callers: Sendable {
    let client: RPCClient
    let ledger: Ledger

    /// Calls, and streams of which no more is on its way than is consumed.
    func runCalls(seed: UInt64) async {
        await withDiscardingTaskGroup { group in
            for number in 0..<32 {
                group.addTask { await self.repeatedly(seed: seed + UInt64(number)) { await self.call(&$0) } }
            }
            for number in 32..<40 {
                group.addTask {
                    await self.repeatedly(seed: seed + UInt64(number)) { await self.stream("both", &$0, self.both) }
                }
            }
        }
    }

    /// Streams whose senders do not wait for their consumers: a slow consumer holds its connection up (G5-05), so they
    /// have one of their own.
    func runStreams(seed: UInt64) async {
        await withDiscardingTaskGroup { group in
            for number in 0..<8 {
                group.addTask {
                    await self.repeatedly(seed: seed + UInt64(number)) { await self.stream("down", &$0, self.down) }
                }
                group.addTask {
                    await self.repeatedly(seed: seed + UInt64(number)) { await self.stream("up", &$0, self.up) }
                }
                group.addTask {
                    await self.repeatedly(seed: seed + UInt64(number)) { await self.stream("told", &$0, self.told) }
                }
            }
        }
    }

    private func repeatedly(seed: UInt64, _ body: (inout SeededGenerator) async -> Bool) async {
        var random = SeededGenerator(seed: seed)
        while !Task.isCancelled {
            // Who fails waits a little, so that a lost connection does not make a busy loop.
            if await !body(&random) { try? await Task.sleep(for: .milliseconds(20)) }
        }
    }

    // MARK: - Unary

    private func call(_ random: inout SeededGenerator) async -> Bool {
        let id = self.ledger.newID()
        let value = String(repeating: "v", count: Int.random(in: 0...8_192, using: &random))
        let isHasty = Int.random(in: 0..<20, using: &random) == 0
        let isCancelled = Int.random(in: 0..<20, using: &random) == 0
        let timeout = isHasty ? Duration.milliseconds(Int.random(in: 0...20, using: &random)) : .seconds(30)
        let patience = Duration.microseconds(Int.random(in: 0...3_000, using: &random))
        do {
            let request = SoakService.Text(key: String(id), value: value)
            let options = CallOptions(timeout: timeout, metadata: [("tenant", "soak")])
            let answer = try await self.cancelled(after: isCancelled ? patience : nil) {
                try await self.client.call(SoakService.echo, request, options: options)
            }
            self.ledger.answered(id)
            if answer != request { self.ledger.found("call \(id) got another's answer") }
            return true
        } catch let error as RPCError {
            self.ledger.failed(id, error)
        } catch {
            self.ledger.found("call \(id) failed with \(error)")
        }
        return false
    }

    private func cancelled<Value: Sendable>(
        after patience: Duration?,
        _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        guard let patience else { return try await body() }
        return try await withThrowingTaskGroup(of: Value.self) { group in
            group.addTask { try await body() }
            try? await Task.sleep(for: patience)
            group.cancelAll()
            guard let value = try await group.next() else { throw CancellationError() }
            return value
        }
    }

    // MARK: - Streams

    private struct Wrong: Error {
        var what: String
    }

    /// How a stream is used.
    private struct Plan: Sendable {
        var messages: Int
        var bytes: Int
        /// Leaves after so many messages.
        var leavesAfter: Int?
        /// Takes its time over each so many messages.
        var pausesEvery: Int?

        init(_ random: inout SeededGenerator) {
            self.messages = Int.random(in: 0...2_000, using: &random)
            self.bytes = Int.random(in: 0...2_048, using: &random)
            let isImpatient = Int.random(in: 0..<8, using: &random) == 0
            self.leavesAfter = isImpatient ? Int.random(in: 0...self.messages, using: &random) : nil
            self.pausesEvery =
                Int.random(in: 0..<8, using: &random) == 0 ? Int.random(in: 20...200, using: &random) : nil
        }

        func pause(at number: Int) async throws {
            if let every = self.pausesEvery, number % every == every - 1 {
                try await Task.sleep(for: .milliseconds(20))
            }
        }
    }

    private func stream(
        _ kind: String,
        _ random: inout SeededGenerator,
        _ use: (Plan) async throws -> Void
    ) async -> Bool {
        let plan = Plan(&random)
        do {
            try await use(plan)
            self.ledger.count("streams \(kind) ended")
            return true
        } catch let error as RPCError {
            self.ledger.count("streams \(kind) \(error.code)")
        } catch let wrong as Wrong {
            self.ledger.found("a stream \(kind): \(wrong.what)")
        } catch {
            self.ledger.count("streams \(kind) cancelled")
        }
        return false
    }

    private func down(_ plan: Plan) async throws {
        let request = SoakService.Text(key: String(plan.bytes), value: String(plan.messages))
        try await self.client.withStream(SoakService.count, request) { messages in
            var expected = 0
            for try await message in messages {
                guard message.key == String(expected), message.value.utf8.count == plan.bytes else {
                    throw Wrong(what: "message \(message.key) in place of \(expected)")
                }
                expected += 1
                if expected == plan.leavesAfter { return }
                try await plan.pause(at: expected)
            }
            guard expected == plan.messages else { throw Wrong(what: "\(expected) of \(plan.messages) messages") }
        }
    }

    /// As `down`, told on the event loop: it does not pause, which would hold up the other streams of its connection.
    private func told(_ plan: Plan) async throws {
        let request = SoakService.Text(key: String(plan.bytes), value: String(plan.messages))
        let (ends, end) = AsyncStream.makeStream(of: Result<Void, any Error>.self)
        let received = Mutex(0)
        let stream = self.client.stream(SoakService.countAtOnce, request) { message in
            let number = received.withLock { count in
                defer { count += 1 }
                return count
            }
            if message.key != String(number) || message.value.utf8.count != plan.bytes {
                end.yield(.failure(Wrong(what: "message \(message.key) in place of \(number)")))
            }
            if number + 1 == plan.leavesAfter { end.yield(.success(())) }
        } completion: { result in
            let count = received.withLock { $0 }
            switch result {
            case .success where count == plan.messages: end.yield(.success(()))
            case .success: end.yield(.failure(Wrong(what: "\(count) of \(plan.messages) messages")))
            case .failure(let error): end.yield(.failure(error))
            }
        }
        defer { stream.cancel() }
        for await result in ends { return try result.get() }
        throw CancellationError()
    }

    private func up(_ plan: Plan) async throws {
        let value = String(repeating: "u", count: plan.bytes)
        let sent = plan.leavesAfter ?? plan.messages
        let answer = try await self.client.withStream(SoakService.sum) { writer in
            for number in 0..<sent {
                try await writer.send(SoakService.Text(key: String(number), value: value))
                try await plan.pause(at: number)
            }
        }
        guard answer.key == String(sent), answer.value == String(sent * (sent - 1) / 2) else {
            throw Wrong(what: "the sum of \(answer.key) of \(sent) messages")
        }
    }

    private func both(_ plan: Plan) async throws {
        let value = String(repeating: "b", count: plan.bytes)
        try await self.client.withStream(SoakService.mirror) { writer, messages in
            var answers = messages.makeAsyncIterator()
            // A message at a time: whoever sends without reading waits for ever.
            for number in 0..<(plan.messages / 8) {
                if number == plan.leavesAfter { return }
                let sent = SoakService.Text(key: String(number), value: value)
                try await writer.send(sent)
                guard try await answers.next() == sent else { throw Wrong(what: "another answer to \(number)") }
                try await plan.pause(at: number)
            }
            writer.finish()
            guard try await answers.next() == nil else { throw Wrong(what: "a message too many") }
        }
    }
}
