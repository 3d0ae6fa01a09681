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
        let data = try #require(events).map(\.data)
        #expect(data.first?.contains(#""role":"assistant""#) == true)
        #expect(data.dropLast(2).last?.contains(#""finish_reason":"length""#) == true)
        #expect(data.dropLast().last?.contains(#""choices":[],"usage":{"#) == true)
        #expect(data.last == "[DONE]")
        for event in data.dropLast() { _ = try JSONSerialization.jsonObject(with: Data(event.utf8)) }
    }

    @Test func aStreamedResponseEndsWithTheWholeOne() throws {
        let answer = try self.answer(#"{"model":"m","input":"hi","stream":true}"#)
        let events = try #require(answer.events(path: "/v1/responses"))
        #expect(events.first?.name == "response.created" && events.last?.name == "response.completed")
        #expect(events.count == answer.tokens + 8)
        struct Last: Decodable {
            struct Response: Decodable {
                struct Item: Decodable { var content: [Part] }
                struct Part: Decodable { var text: String }
                var output: [Item]
            }
            var sequence_number: Int
            var response: Response
        }
        let last = try JSONDecoder().decode(Last.self, from: Data((events.last?.data ?? "").utf8))
        #expect(last.sequence_number == events.count - 1)
        #expect(last.response.output.first?.content.first?.text == answer.text)
        #expect(answer.body(path: "/v1/responses").contains(#""output_tokens":\#(answer.tokens)"#))
        #expect(answer.events(path: "/v1/embeddings") == nil)
    }

    @Test func documentsAreRankedAndAsManyAsAskedForComeBack() throws {
        struct Answer: Decodable {
            struct Result: Decodable {
                struct Document: Decodable { var text: String }
                var index: Int
                var document: Document
                var relevance_score: Double
            }
            var results: [Result]
        }
        let body = #"{"model":"m","query":"q","documents":["a","b","c","d"],"top_n":3}"#
        let text = try self.answer(body).body(path: "/v1/rerank")
        let results = try JSONDecoder().decode(Answer.self, from: Data(text.utf8)).results
        #expect(results.count == 3)
        #expect(results.map(\.relevance_score) == results.map(\.relevance_score).sorted(by: >))
        #expect(results.allSatisfy { $0.document.text == ["a", "b", "c", "d"][$0.index] })
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

    @Test("vectors are the same as numbers and in base64", arguments: [1, 2, 3, 4])
    func base64(dimensions: Int) throws {
        struct Numbers: Decodable {
            struct Vector: Decodable { var embedding: [Float] }
            var data: [Vector]
        }
        struct Encoded: Decodable {
            struct Vector: Decodable { var embedding: Data }
            var data: [Vector]
        }
        let body = #"{"model":"m","input":"a","dimensions":\#(dimensions)"#
        let plain = try self.answer(body + "}").body(path: "/v1/embeddings")
        let encoded = try self.answer(body + #","encoding_format":"base64"}"#).body(path: "/v1/embeddings")
        let numbers = try JSONDecoder().decode(Numbers.self, from: Data(plain.utf8)).data[0].embedding
        let bytes = try JSONDecoder().decode(Encoded.self, from: Data(encoded.utf8)).data[0].embedding
        let decoded = bytes.withUnsafeBytes { bytes in
            (0..<dimensions).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
        }
        #expect(bytes.count == 4 * dimensions && decoded == numbers)
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
