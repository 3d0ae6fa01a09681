import JSONSpans

/// Makes the answers: everything follows from the request body, so the same request always gets the same bytes.
struct AnswerGenerator {
    /// Tokens of an answer whose request sets no limit: 1 to this many.
    private static let defaultTokens = 64
    private static let maximumTokens = 4_096
    private static let maximumDimensions = 4_096
    /// A fixed moment, in Unix seconds.
    private static let created = 1_700_000_000
    private static let words = [
        "the", "engine", "answers", "with", "words", "that", "mean", "nothing", "at", "all", "yet", "look", "like",
        "text", "and", "end",
    ]

    let prompt: Prompt

    /// Tokens that the answer has when nothing limits it.
    private var naturalTokens: Int { 1 + Int(self.prompt.question % UInt64(Self.defaultTokens)) }

    /// Tokens of the answer.
    var tokens: Int {
        let natural = self.naturalTokens
        return min(max(min(natural, self.prompt.maximumTokens ?? natural), 1), Self.maximumTokens)
    }

    private var finishReason: String { self.tokens < self.naturalTokens ? "length" : "stop" }

    private var promptTokens: Int { (self.prompt.bytes + 3) / 4 }
    private var hex: String { String(self.prompt.question, radix: 16) }

    /// The word of one token.
    func word(_ index: Int) -> String {
        let shift = UInt64(index * 4 % 60)
        let word = Self.words[Int(truncatingIfNeeded: (self.prompt.question >> shift) &+ UInt64(index)) & 0xF]
        return index == 0 ? word : " " + word
    }

    private var text: String {
        var text = ""
        for index in 0..<self.tokens { text += self.word(index) }
        return text
    }

    private var usage: String {
        "{\"prompt_tokens\":\(self.promptTokens),\"completion_tokens\":\(self.tokens),"
            + "\"total_tokens\":\(self.promptTokens + self.tokens)}"
    }

    /// The whole answer for a path.
    func body(path: String) -> String {
        switch path {
        case "/v1/embeddings": self.embeddings
        case "/v1/completions":
            "{\"id\":\"cmpl-\(self.hex)\",\"object\":\"text_completion\",\"created\":\(Self.created),\"model\":\(self.model),"
                + "\"choices\":[{\"index\":0,\"text\":\"\(self.text)\",\"logprobs\":null,"
                + "\"finish_reason\":\"\(self.finishReason)\"}],"
                + "\"usage\":\(self.usage)}"
        default:
            "{\"id\":\"chatcmpl-\(self.hex)\",\"object\":\"chat.completion\",\"created\":\(Self.created),"
                + "\"model\":\(self.model),\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
                + "\"content\":\"\(self.text)\"},\"logprobs\":null,"
                + "\"finish_reason\":\"\(self.finishReason)\"}],\"usage\":\(self.usage)}"
        }
    }

    private var embeddings: String {
        let dimensions = min(max(self.prompt.dimensions ?? 8, 1), Self.maximumDimensions)
        let vectors = (0..<self.prompt.inputs).map { input in
            let numbers = (0..<dimensions).map { index in
                let mixed = (self.prompt.question &+ UInt64(input * 31 + index)) &* 0x9E37_79B9_7F4A_7C15
                return "0.\(100_000 + mixed >> 40 % 900_000)"
            }
            return "{\"object\":\"embedding\",\"index\":\(input),\"embedding\":[\(numbers.joined(separator: ","))]}"
        }
        return "{\"object\":\"list\",\"data\":[\(vectors.joined(separator: ","))],\"model\":\(self.model),"
            + "\"usage\":{\"prompt_tokens\":\(self.promptTokens),\"total_tokens\":\(self.promptTokens)}}"
    }

    /// The events of a stream: first, one a token, last, and the usage when it was asked for (A10-02, A10-03).
    func events(path: String) -> [String] {
        let isChat = path != "/v1/completions"
        let usageKey = self.prompt.includesUsage ? ",\"usage\":null" : ""
        func event(_ choice: String) -> String {
            "{\(self.streamHead(isChat)),\"choices\":[\(choice)]\(usageKey)}"
        }
        var events: [String] = []
        for index in 0..<self.tokens {
            let role = index == 0 ? "\"role\":\"assistant\"," : ""
            let delta =
                isChat ? "\"delta\":{\(role)\"content\":\"\(self.word(index))\"}" : "\"text\":\"\(self.word(index))\""
            events.append(event("{\"index\":0,\(delta),\"finish_reason\":null}"))
        }
        let last = isChat ? "\"delta\":{}" : "\"text\":\"\""
        events.append(event("{\"index\":0,\(last),\"finish_reason\":\"\(self.finishReason)\"}"))
        if self.prompt.includesUsage {
            events.append("{\(self.streamHead(isChat)),\"choices\":[],\"usage\":\(self.usage)}")
        }
        return events
    }

    private func streamHead(_ isChat: Bool) -> String {
        let object = isChat ? "chat.completion.chunk" : "text_completion"
        let id = (isChat ? "chatcmpl-" : "cmpl-") + self.hex
        return "\"id\":\"\(id)\",\"object\":\"\(object)\",\"created\":\(Self.created),\"model\":\(self.model)"
    }

    private var model: String {
        var bytes: [UInt8] = []
        JSONString.appendEncoded(self.prompt.model, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}
