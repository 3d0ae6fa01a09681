import NIOCore
import Testing

@testable import GatewayAPI

/// What an answer says of the tokens that it has used.
struct AnswerTailTests {
    private func tokens(_ pieces: String...) -> Int? {
        var tail = AnswerTail()
        for piece in pieces { tail.passed(ByteBuffer(string: piece)) }
        return tail.totalTokens
    }

    @Test(
        "A1-10 usage in the words of every path",
        arguments: [
            (#"{"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}"#, 7),
            (#"{"id":"x", "usage" : { "total_tokens" : 12 } }"#, 12),
            (#"{"usage":{"prompt_tokens":3,"completion_tokens":4}}"#, 7),
            (#"{"usage":{"input_tokens":5,"input_tokens_details":{"cached_tokens":1},"output_tokens":6}}"#, 11),
            (#"{"usage":{"total_tokens":9,"note":"} \" {","details":{"a":{}}},"model":"m"}"#, 9),
            (#"{"usage":{"total_tokens":9999999999}}"#, AnswerTail.maximumTokens),
            (#"{"usage":{"total_tokens":0}}"#, 0),
        ] as [(String, Int)]
    )
    func whole(answer: String, tokens: Int) {
        #expect(self.tokens(answer) == tokens)
    }

    @Test(
        "what says nothing of tokens changes nothing",
        arguments: [
            "", "{}", #""usage""#, #"{"usage":null}"#, #"{"usage":{}}"#, #"{"usage":7}"#,
            #"{"usage":[{"total_tokens":7}]}"#,
            #"{"usage":{"total_tokens":-7}}"#, #"{"usage":{"total_tokens":7.5}}"#, #"{"usage":{"total_tokens":"7"}}"#,
            #"{"usage":{"total_tokens":7"#, #"{"usage":{"total_tokens":7,}}"#, #"{"usage""#, #"{"usage":"#,
            // Text of a model, which looks like it.
            #"{"content":"{\"usage\":{\"total_tokens\":7}}"}"#, #"{"content":"\"usage\":{}"}"#,
        ]
    )
    func nothing(answer: String) {
        #expect(self.tokens(answer) == nil)
    }

    @Test func theLastEventThatHasUsageCounts() {
        let stream = [
            #"data: {"choices":[{"delta":{"content":"a"}}],"usage":{"total_tokens":2}}"#,
            #"data: {"choices":[],"usage":{"total_tokens":3}}"#, #"data: {"choices":[],"usage":null}"#, "data: [DONE]",
            "",
        ].joined(separator: "\n\n")
        #expect(self.tokens(stream) == 3)
    }

    @Test func piecesMayEndAnywhere() {
        let answer = Array(#"{"choices":[],"usage":{"prompt_tokens":3,"total_tokens":7}}"#)
        for cut in 0...answer.count {
            #expect(self.tokens(String(answer[..<cut]), String(answer[cut...])) == 7)
        }
    }

    @Test("of a long answer only the end is held and looked at", arguments: [1, 1_000, 70_000, 200_000])
    func longAnswers(pieceBytes: Int) {
        let usage = #""usage":{"total_tokens":7}"#
        let text = #"{"content":""# + String(repeating: "x", count: 300_000) + #"","# + usage + "}"
        var tail = AnswerTail()
        var rest = ByteBuffer(string: text)
        while let piece = rest.readSlice(length: min(pieceBytes, rest.readableBytes)), piece.readableBytes > 0 {
            tail.passed(piece)
            #expect(tail.heldBytes <= 2 * AnswerTail.maximumBytes)
        }
        #expect(tail.totalTokens == 7)
        // Too far from the end.
        tail.passed(ByteBuffer(string: String(repeating: " ", count: AnswerTail.maximumBytes)))
        #expect(tail.totalTokens == nil)
    }
}
