import JSONSpans

/// Tokens of one answer or of many (A1-10).
public struct TokenUsage: Sendable, Equatable, Codable {
    /// Tokens of the prompt.
    public var inputTokens: Int
    /// Those of them that came from a cache.
    public var cachedTokens: Int
    /// Tokens of the answer.
    public var outputTokens: Int
    /// Those of them that were spent on reasoning.
    public var reasoningTokens: Int
    /// All of them, as the engine counts.
    public var totalTokens: Int

    /// Counts.
    public init(
        inputTokens: Int = 0,
        cachedTokens: Int = 0,
        outputTokens: Int = 0,
        reasoningTokens: Int = 0,
        totalTokens: Int = 0
    ) {
        self.inputTokens = inputTokens
        self.cachedTokens = cachedTokens
        self.outputTokens = outputTokens
        self.reasoningTokens = reasoningTokens
        self.totalTokens = totalTokens
    }

    /// Adds counts, stopping at the largest number.
    public static func += (sum: inout TokenUsage, other: TokenUsage) {
        sum.inputTokens = self.sum(sum.inputTokens, other.inputTokens)
        sum.cachedTokens = self.sum(sum.cachedTokens, other.cachedTokens)
        sum.outputTokens = self.sum(sum.outputTokens, other.outputTokens)
        sum.reasoningTokens = self.sum(sum.reasoningTokens, other.reasoningTokens)
        sum.totalTokens = self.sum(sum.totalTokens, other.totalTokens)
    }

    private static func sum(_ left: Int, _ right: Int) -> Int {
        let (sum, overflow) = left.addingReportingOverflow(right)
        return overflow ? .max : sum
    }
}

extension TokenUsage {
    /// Largest count of one answer that is believed.
    public static let maximumTokens = Int(UInt32.max)

    /// Reads the object that is an answer's `usage`, in the names of chat completions or of responses.
    init?(_ body: UnsafeRawBufferPointer, _ span: JSONSpan) {
        guard span.kind == .object else { return nil }
        var usage = TokenUsage()
        var total: Int?
        _ = Self.visit(body, span.range) { key, value in
            if key("prompt_tokens") || key("input_tokens") { usage.inputTokens = Self.number(body, value) }
            if key("completion_tokens") || key("output_tokens") { usage.outputTokens = Self.number(body, value) }
            if key("total_tokens") { total = Self.number(body, value) }
            if key("prompt_tokens_details") || key("input_tokens_details") {
                usage.cachedTokens = Self.detail("cached_tokens", body, value)
            }
            if key("completion_tokens_details") || key("output_tokens_details") {
                usage.reasoningTokens = Self.detail("reasoning_tokens", body, value)
            }
        }
        usage.totalTokens = total ?? min(usage.inputTokens + usage.outputTokens, Self.maximumTokens)
        self = usage
    }

    private static func detail(_ name: StaticString, _ body: UnsafeRawBufferPointer, _ span: JSONSpan) -> Int {
        var count = 0
        guard span.kind == .object else { return 0 }
        _ = self.visit(body, span.range) { key, value in if key(name) { count = self.number(body, value) } }
        return count
    }

    private static func visit(
        _ body: UnsafeRawBufferPointer,
        _ range: Range<Int>,
        _ take: (_ key: (StaticString) -> Bool, JSONSpan) -> Void
    ) -> Bool {
        let visited: Void? = try? JSONDocument.members(of: body, in: range) { key, value in
            let raw = UnsafeRawBufferPointer(rebasing: body[key])
            take({ JSONString.equals(raw, $0) }, value)
        }
        return visited != nil
    }

    /// A count; what is not a whole number from 0 to `maximumTokens` says nothing.
    private static func number(_ body: UnsafeRawBufferPointer, _ span: JSONSpan) -> Int {
        guard span.kind == .number, span.range.count <= 10 else { return 0 }
        var value = 0
        for byte in body[span.range] {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return 0 }
            value = value * 10 + Int(byte - UInt8(ascii: "0"))
        }
        return value <= self.maximumTokens ? value : 0
    }
}
