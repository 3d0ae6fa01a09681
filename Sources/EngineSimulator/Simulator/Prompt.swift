import JSONSpans

/// What the simulator reads of a request body.
struct Prompt {
    var model = ""
    var isStream = false
    var includesUsage = false
    var maximumTokens: Int?
    var dimensions: Int?
    var inputs = 1
    /// Whether vectors are asked for as base64 of little-endian 32-bit floats.
    var wantsBase64 = false
    /// What is to be ranked, as JSON values.
    var documents: [String] = []
    /// Most results of a ranking.
    var topCount: Int?
    /// Hash of the body, to tell requests apart.
    let hash: UInt64
    /// Hash of what is asked, whatever the other parameters: the words and numbers of the answer follow from it.
    private(set) var question: UInt64
    let bytes: Int

    /// Reads an OpenAI-style body; nil when it is not a JSON object.
    init?(_ body: UnsafeRawBufferPointer) {
        self.hash = Self.hash(body)
        self.question = self.hash
        self.bytes = body.count
        var spans: [String: JSONSpan] = [:]
        let visited: Void? = try? JSONDocument.members(of: body, in: 0..<body.count) { key, value in
            let name = UnsafeRawBufferPointer(rebasing: body[key])
            guard name.count <= 24 else { return }
            spans[String(decoding: name, as: UTF8.self)] = value
        }
        guard visited != nil else { return nil }
        if let span = spans["model"], span.kind == .string {
            let text = JSONString.decode(UnsafeRawBufferPointer(rebasing: body[span.inside]))
            self.model = String(decoding: text, as: UTF8.self)
        }
        if let asked = spans["messages"] ?? spans["prompt"] ?? spans["input"] ?? spans["query"] {
            self.question = Self.hash(UnsafeRawBufferPointer(rebasing: body[asked.range]))
        }
        self.isStream = spans["stream"].map { body[$0.range.lowerBound] == UInt8(ascii: "t") } ?? false
        self.includesUsage = Self.includesUsage(body, spans["stream_options"])
        let limit = spans["max_completion_tokens"] ?? spans["max_output_tokens"] ?? spans["max_tokens"]
        self.maximumTokens = Self.number(body, limit)
        self.dimensions = Self.number(body, spans["dimensions"])
        self.wantsBase64 = spans["encoding_format"].map { body[$0.range].elementsEqual(#""base64""#.utf8) } ?? false
        self.topCount = Self.number(body, spans["top_n"])
        self.documents = Self.elements(body, spans["documents"])
        if let input = spans["input"], input.kind == .array {
            var count = 0
            try? JSONDocument.elements(of: body, in: input.range) { count += $0.kind == .number ? 0 : 1 }
            self.inputs = min(max(count, 1), Self.maximumInputs)
        }
    }

    private static let maximumInputs = 2_048

    private static func elements(_ body: UnsafeRawBufferPointer, _ list: JSONSpan?) -> [String] {
        guard let list, list.kind == .array else { return [] }
        var elements: [String] = []
        try? JSONDocument.elements(of: body, in: list.range) { element in
            guard elements.count < self.maximumInputs else { return }
            elements.append(String(decoding: body[element.range], as: UTF8.self))
        }
        return elements
    }

    /// FNV-1a, eight bytes a step: cheap, and the same on every machine.
    static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        var offset = 0
        while offset + 8 <= bytes.count {
            let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            hash = (hash ^ word) &* 0x0000_0100_0000_01b3
            hash ^= hash >> 29
            offset += 8
        }
        for byte in bytes[offset...] { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        return hash ^ hash >> 32
    }

    private static func number(_ body: UnsafeRawBufferPointer, _ span: JSONSpan?) -> Int? {
        guard let span, span.kind == .number, span.range.count <= 9 else { return nil }
        return Int(String(decoding: body[span.range], as: UTF8.self)).map { max($0, 0) }
    }

    private static func includesUsage(_ body: UnsafeRawBufferPointer, _ options: JSONSpan?) -> Bool {
        guard let options, options.kind == .object else { return false }
        var found = false
        try? JSONDocument.members(of: body, in: options.range) { key, value in
            let name = UnsafeRawBufferPointer(rebasing: body[key])
            if JSONString.equals(name, "include_usage") { found = body[value.range.lowerBound] == UInt8(ascii: "t") }
        }
        return found
    }
}
