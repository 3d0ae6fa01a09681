/// Makes the answers: everything follows from the request body, so the same request always gets the same bytes.
struct AnswerGenerator {
    /// Tokens of an answer whose request sets no limit: 1 to this many.
    private static let defaultTokens = 64
    private static let maximumTokens = 4_096
    /// A fixed moment, in Unix seconds.
    static let created = 1_700_000_000
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

    var finishReason: String { self.tokens < self.naturalTokens ? "length" : "stop" }

    var promptTokens: Int { (self.prompt.bytes + 3) / 4 }
    var hex: String { String(self.prompt.question, radix: 16) }

    /// The word of one token.
    func word(_ index: Int) -> String {
        let shift = UInt64(index * 4 % 60)
        let word = Self.words[Int(truncatingIfNeeded: (self.prompt.question >> shift) &+ UInt64(index)) & 0xF]
        return index == 0 ? word : " " + word
    }

    var text: String {
        var text = ""
        for index in 0..<self.tokens { text += self.word(index) }
        return text
    }

    var usage: String {
        "{\"prompt_tokens\":\(self.promptTokens),\"completion_tokens\":\(self.tokens),"
            + "\"total_tokens\":\(self.promptTokens + self.tokens)}"
    }

    var model: String { EngineReply.quoted(self.prompt.model) }

    /// The whole answer for a path.
    func body(path: String) -> String {
        switch path {
        case "/v1/embeddings": self.embeddings
        case "/v1/rerank": self.ranking
        case "/v1/responses": self.response
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
}

/// One server-sent event.
struct StreamEvent {
    /// Its type, where the API names it.
    var name: String?
    var data: String

    /// As it goes over the wire.
    var text: String { (self.name.map { "event: \($0)\n" } ?? "") + "data: \(self.data)\n\n" }
}

// MARK: - Streams of chat completions and completions

extension AnswerGenerator {
    /// The events of a streamed answer; nil: the path has none.
    func events(path: String) -> [StreamEvent]? {
        switch path {
        case "/v1/chat/completions", "/v1/completions": self.chunks(isChat: path != "/v1/completions")
        case "/v1/responses": self.responseEvents
        default: nil
        }
    }

    /// First, one a token, last, the usage when it was asked for, and the mark of the end (A10-01 ... A10-03).
    private func chunks(isChat: Bool) -> [StreamEvent] {
        let usageKey = self.prompt.includesUsage ? ",\"usage\":null" : ""
        func event(_ choice: String) -> StreamEvent {
            StreamEvent(data: "{\(self.chunkHead(isChat)),\"choices\":[\(choice)]\(usageKey)}")
        }
        var events: [StreamEvent] = []
        for index in 0..<self.tokens {
            let role = index == 0 ? "\"role\":\"assistant\"," : ""
            let delta =
                isChat ? "\"delta\":{\(role)\"content\":\"\(self.word(index))\"}" : "\"text\":\"\(self.word(index))\""
            events.append(event("{\"index\":0,\(delta),\"finish_reason\":null}"))
        }
        let last = isChat ? "\"delta\":{}" : "\"text\":\"\""
        events.append(event("{\"index\":0,\(last),\"finish_reason\":\"\(self.finishReason)\"}"))
        if self.prompt.includesUsage {
            events.append(StreamEvent(data: "{\(self.chunkHead(isChat)),\"choices\":[],\"usage\":\(self.usage)}"))
        }
        return events + [StreamEvent(data: "[DONE]")]
    }

    private func chunkHead(_ isChat: Bool) -> String {
        let object = isChat ? "chat.completion.chunk" : "text_completion"
        let id = (isChat ? "chatcmpl-" : "cmpl-") + self.hex
        return "\"id\":\"\(id)\",\"object\":\"\(object)\",\"created\":\(Self.created),\"model\":\(self.model)"
    }
}
