/// Answers of `/v1/embeddings` and `/v1/rerank`.
extension AnswerGenerator {
    private static let maximumDimensions = 4_096
    private static let base64Digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    private var promptUsage: String {
        "{\"prompt_tokens\":\(self.promptTokens),\"total_tokens\":\(self.promptTokens)}"
    }

    /// A vector an input, as numbers or in base64.
    var embeddings: String {
        let dimensions = min(max(self.prompt.dimensions ?? 8, 1), Self.maximumDimensions)
        let vectors = (0..<self.prompt.inputs).map { input in
            let millionths = (0..<dimensions).map { self.millionths(input * 31 + $0) }
            let vector =
                self.prompt.wantsBase64
                ? "\"\(Self.base64(millionths))\"" : "[\(millionths.map { "0.\($0)" }.joined(separator: ","))]"
            return "{\"object\":\"embedding\",\"index\":\(input),\"embedding\":\(vector)}"
        }
        return "{\"object\":\"list\",\"data\":[\(vectors.joined(separator: ","))],\"model\":\(self.model),"
            + "\"usage\":\(self.promptUsage)}"
    }

    /// The documents by falling score.
    var ranking: String {
        let scored = self.prompt.documents.enumerated().map { (index: $0, text: $1, score: self.millionths($0)) }
        let best = scored.sorted { ($0.score, $1.index) > ($1.score, $0.index) }
            .prefix(self.prompt.topCount ?? scored.count)
        let results = best.map {
            "{\"index\":\($0.index),\"document\":{\"text\":\($0.text)},\"relevance_score\":0.\($0.score)}"
        }
        return "{\"id\":\"rerank-\(self.hex)\",\"model\":\(self.model),\"usage\":\(self.promptUsage),"
            + "\"results\":[\(results.joined(separator: ","))]}"
    }

    /// A number with six digits, which follows from the question.
    private func millionths(_ index: Int) -> Int {
        let mixed = (self.prompt.question &+ UInt64(index)) &* 0x9E37_79B9_7F4A_7C15
        return 100_000 + Int(mixed >> 40) % 900_000
    }

    /// Little-endian 32-bit floats in base64.
    private static func base64(_ millionths: [Int]) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(millionths.count * 4)
        for value in millionths {
            let bits = (Float(value) / 1_000_000).bitPattern
            bytes += [UInt8(truncatingIfNeeded: bits), UInt8(truncatingIfNeeded: bits >> 8)]
            bytes += [UInt8(truncatingIfNeeded: bits >> 16), UInt8(truncatingIfNeeded: bits >> 24)]
        }
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
            for digit in 0..<4 {
                text.append(digit <= group.count ? self.base64Digits[bits >> (18 - 6 * digit) & 63] : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
