import Foundation
import Testing

@testable import EngineSimulator

struct SimulatorPartsTests {
    private func answer(_ body: String) throws -> AnswerGenerator {
        AnswerGenerator(prompt: try #require(Array(body.utf8).withUnsafeBytes { Prompt($0) }))
    }

    @Test func theSameRequestGetsTheSameAnswer() throws {
        let body = #"{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":5}"#
        let first = try self.answer(body).body(path: "/v1/chat/completions")
        #expect(try self.answer(body).body(path: "/v1/chat/completions") == first)
        let other = body.replacingOccurrences(of: "hi", with: "ho")
        #expect(try self.answer(other).body(path: "/v1/chat/completions") != first)
        struct Answer: Decodable {
            struct Usage: Decodable { var completion_tokens: Int }
            var object: String
            var usage: Usage
        }
        let decoded = try JSONDecoder().decode(Answer.self, from: Data(first.utf8))
        #expect(decoded.object == "chat.completion")
        #expect((1...5).contains(decoded.usage.completion_tokens))
    }

    @Test("A10-02 A10-03 a stream has its role first, its reason last, and its usage when asked")
    func streams() throws {
        let events = try self.answer(
            #"{"model":"m","stream":true,"stream_options":{"include_usage":true},"max_tokens":3}"#
        ).events(path: "/v1/chat/completions")
        #expect(events.first?.contains(#""role":"assistant""#) == true)
        #expect(events.dropLast().last?.contains(#""finish_reason":"length""#) == true)
        #expect(events.last?.contains(#""choices":[],"usage":{"#) == true)
        for event in events { _ = try JSONSerialization.jsonObject(with: Data(event.utf8)) }
    }

    @Test func anAnswerThatIsCutSaysSo() throws {
        let whole = try self.answer(#"{"model":"m","prompt":"hi"}"#)
        #expect(whole.body(path: "/v1/completions").contains(#""finish_reason":"stop""#))
        let cut = try self.answer(#"{"model":"m","prompt":"hi","max_tokens":\#(whole.tokens - 1)}"#)
        #expect(cut.body(path: "/v1/completions").contains(#""finish_reason":"length""#))
    }

    @Test func embeddingsComeOneAnInput() throws {
        struct Answer: Decodable {
            struct Vector: Decodable { var embedding: [Double] }
            var data: [Vector]
        }
        let text = try self.answer(#"{"model":"m","input":["a","b"],"dimensions":4}"#).body(path: "/v1/embeddings")
        #expect(try JSONDecoder().decode(Answer.self, from: Data(text.utf8)).data.map(\.embedding.count) == [4, 4])
    }

    @Test func faultsAreReadFromHeadersAndBodies() {
        #expect(Fault("status;code=429")?.value("code", 500) == 429)
        #expect(Fault("nothing") == nil)
        #expect(Fault("status;code=x") == nil)
        let found = Array("x [[fault:hang]] y".utf8).withUnsafeBytes { Fault(inBody: $0) }
        #expect(found?.name == .hang)
        #expect(Array("[[fault:hang".utf8).withUnsafeBytes { Fault(inBody: $0) } == nil)
    }

    @Test func slotsAreTakenInOrderAndThoseThatLeftAreSkipped() {
        var queue = SlotQueue<Int>(slots: 1)
        let started = [queue.arrive(1), queue.arrive(2), queue.arrive(3)]
        #expect(started == [true, false, false])
        #expect(queue.running == 1 && queue.waiting == 2)
        queue.leave(2)
        let next = [queue.finish(), queue.finish()]
        #expect(next == [3, nil])
        #expect(queue.running == 0 && queue.waiting == 0)
    }
}
