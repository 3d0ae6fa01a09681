import NIOCore
import ProtoFraming
import Testing

@testable import ProtoRPC

/// The hand-over of messages between an event loop and a task.
@Suite(.timeLimit(.minutes(1))) struct StreamStateTests {
    private let message = ByteBuffer(string: "message")

    @Test("a message wakes its consumer, and the end does")
    func wakes() async throws {
        let state = StreamState(ClientStreamStateMachine(kind: .serverStream))
        async let first = state.next()
        _ = state.withMachine { $0.dataReceived(flags: [], data: self.message) }
        #expect(try await first == self.message)
        async let second = state.next()
        _ = state.withMachine { $0.dataReceived(flags: .endOfData, data: ByteBuffer()) }
        #expect(try await second == nil)
    }

    @Test("a consumer that was cancelled leaves the messages to the next one")
    func cancelled() async throws {
        let state = StreamState(ClientStreamStateMachine(kind: .serverStream))
        await withTaskGroup(of: RPCError?.self) { group in
            group.addTask { await failure { try await state.next() } }
            group.cancelAll()
            #expect(await group.next()??.code == .cancelled)
        }
        async let next = state.next()
        await Task.yield()
        _ = state.withMachine { $0.dataReceived(flags: [], data: self.message) }
        #expect(try await next == self.message)
    }

    @Test("several consumers get each message once, and all of them the end")
    func several() async throws {
        let state = StreamState(ClientStreamStateMachine(kind: .serverStream))
        let counts = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    var count = 0
                    while try await state.next() != nil { count += 1 }
                    return count
                }
            }
            for _ in 0..<50 {
                _ = state.withMachine { $0.dataReceived(flags: [], data: self.message) }
                await Task.yield()
            }
            _ = state.withMachine { $0.dataReceived(flags: .endOfData, data: ByteBuffer()) }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(counts.reduce(0, +) == 50)
    }
}

extension StreamState {
    fileprivate func next() async throws(RPCError) -> ByteBuffer? {
        while true {
            switch try self.poll(resume: {}) {
            case .message(let message): return message
            case .end: return nil
            case .wait: await self.wait()
            }
        }
    }
}
