/// Answers of `/v1/responses`.
extension AnswerGenerator {
    private var messageID: String { "msg_\(self.hex)" }

    private var responseUsage: String {
        "{\"input_tokens\":\(self.promptTokens),\"input_tokens_details\":{\"cached_tokens\":0},"
            + "\"output_tokens\":\(self.tokens),\"output_tokens_details\":{\"reasoning_tokens\":0},"
            + "\"total_tokens\":\(self.promptTokens + self.tokens)}"
    }

    /// The whole answer.
    var response: String {
        self.response(status: self.endStatus, output: self.message(self.endStatus, self.part(self.text)))
    }

    private var endStatus: String { self.finishReason == "stop" ? "completed" : "incomplete" }

    private func response(status: String, output: String?) -> String {
        let reason = status == "incomplete" ? "{\"reason\":\"max_output_tokens\"}" : "null"
        return
            "{\"id\":\"resp_\(self.hex)\",\"object\":\"response\",\"created_at\":\(Self.created),\"status\":\"\(status)\","
            + "\"error\":null,\"incomplete_details\":\(reason),\"instructions\":null,\"metadata\":{},\"model\":\(self.model),"
            + "\"output\":[\(output ?? "")],\"parallel_tool_calls\":true,\"temperature\":1.0,\"tool_choice\":\"auto\","
            + "\"tools\":[],\"top_p\":1.0,\"usage\":\(output == nil ? "null" : self.responseUsage)}"
    }

    private func message(_ status: String, _ parts: String) -> String {
        "{\"id\":\"\(self.messageID)\",\"type\":\"message\",\"role\":\"assistant\",\"status\":\"\(status)\","
            + "\"content\":[\(parts)]}"
    }

    private func part(_ text: String) -> String {
        "{\"type\":\"output_text\",\"text\":\"\(text)\",\"annotations\":[]}"
    }

    /// The events of a streamed answer; nothing marks the end but the last of them.
    var responseEvents: [StreamEvent] {
        let place = "\"item_id\":\"\(self.messageID)\",\"output_index\":0,\"content_index\":0"
        let begun = self.response(status: "in_progress", output: nil)
        let item = self.message(self.endStatus, self.part(self.text))
        var bodies = [
            ("response.created", "\"response\":\(begun)"),
            ("response.in_progress", "\"response\":\(begun)"),
            ("response.output_item.added", "\"output_index\":0,\"item\":\(self.message("in_progress", ""))"),
            ("response.content_part.added", "\(place),\"part\":\(self.part(""))"),
        ]
        for index in 0..<self.tokens {
            bodies.append(("response.output_text.delta", "\(place),\"delta\":\"\(self.word(index))\",\"logprobs\":[]"))
        }
        bodies += [
            ("response.output_text.done", "\(place),\"text\":\"\(self.text)\",\"logprobs\":[]"),
            ("response.content_part.done", "\(place),\"part\":\(self.part(self.text))"),
            ("response.output_item.done", "\"output_index\":0,\"item\":\(item)"),
            ("response.\(self.endStatus)", "\"response\":\(self.response)"),
        ]
        return bodies.enumerated().map { number, body in
            StreamEvent(name: body.0, data: "{\"type\":\"\(body.0)\",\"sequence_number\":\(number),\(body.1)}")
        }
    }
}
