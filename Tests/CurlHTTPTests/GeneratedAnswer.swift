import TestSupport

/// An answer that a server might send, made up from a seed, and what is in it.
struct GeneratedAnswer {
    /// Of a request of HEAD.
    let toHead: Bool
    let status: Int
    private(set) var body: [UInt8] = []
    private(set) var bytes: [UInt8] = []
    /// Bytes behind the answer.
    private(set) var unread = 0
    /// The body ends with the connection.
    private(set) var endsWithConnection = false

    private enum Framing: CaseIterable {
        case length
        case chunked
        case untilEnd
    }

    init(_ random: inout SeededGenerator) {
        self.toHead = Int.random(in: 0..<10, using: &random) == 0
        self.status =
            [200, 200, 200, 201, 204, 304, 400, 404, 429, 500, 503, 599, 999].randomElement(using: &random) ?? 200
        if Int.random(in: 0..<8, using: &random) == 0 {
            self.append("HTTP/1.1 10\(Bool.random(using: &random) ? 0 : 3) x\r\n\r\n")
        }
        let version = Int.random(in: 0..<5, using: &random) == 0 ? "1.0" : "1.1"
        self.append(
            "HTTP/\(version) \(self.status)\(["", " ", " OK", " Not a Word"].randomElement(using: &random) ?? "")\r\n"
        )
        let framing = Framing.allCases.randomElement(using: &random) ?? .length
        let count = Int.random(in: 0..<3, using: &random) == 0 ? 0 : Int.random(in: 0..<40, using: &random)
        let content = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }.filter {
            $0 != 0x0A && $0 != 0x0D
        }
        var fields = (0..<Int.random(in: 0..<4, using: &random)).map { _ in Self.field(&random) }
        switch framing {
        case .length: fields.append(Self.anyCase("Content-Length", &random) + ": \(content.count)")
        case .chunked:
            fields.append(Self.anyCase("Transfer-Encoding", &random) + ":" + Self.anyCase("chunked", &random))
        case .untilEnd: break
        }
        self.append(fields.shuffled(using: &random).map { "\($0)\r\n" }.joined() + "\r\n")
        if !self.toHead, self.status != 204, self.status != 304 { self.append(content, framing, &random) }
        if !self.endsWithConnection { self.appendRest(&random) }
    }

    /// Changes, adds or takes away one byte.
    mutating func mutate(_ random: inout SeededGenerator) {
        let index = Int.random(in: 0..<self.bytes.count, using: &random)
        let telling = Array("\0\t\n\r :;,-+012345679aAxz\"\u{7F}".utf8) + [0x80, 0xFF]
        let byte = telling.randomElement(using: &random) ?? 0
        switch Int.random(in: 0..<4, using: &random) {
        case 0: self.bytes.remove(at: index)
        case 1: self.bytes.insert(byte, at: index)
        case 2: self.bytes[index] = UInt8.random(in: 0...255, using: &random)
        default: self.bytes[index] = byte
        }
    }

    private mutating func append(_ text: String) {
        self.bytes += text.utf8
    }

    private mutating func append(_ content: [UInt8], _ framing: Framing, _ random: inout SeededGenerator) {
        self.body = content
        self.endsWithConnection = framing == .untilEnd
        if framing == .chunked { self.appendChunks(content, &random) } else { self.bytes += content }
    }

    private mutating func appendRest(_ random: inout SeededGenerator) {
        guard Int.random(in: 0..<4, using: &random) == 0 else { return }
        let rest = ["\r\n", "HTTP/1.1 200 OK\r\n\r\n", "junk"].randomElement(using: &random) ?? ""
        self.append(rest)
        self.unread = rest.utf8.count
    }

    private mutating func appendChunks(_ content: [UInt8], _ random: inout SeededGenerator) {
        var rest = content[...]
        while !rest.isEmpty {
            let chunk = rest.prefix(Int.random(in: 1...20, using: &random))
            rest = rest.dropFirst(chunk.count)
            self.append(Self.size(chunk.count, &random))
            self.bytes += chunk
            self.append("\r\n")
        }
        self.append(Self.size(0, &random))
        for _ in 0..<max(0, Int.random(in: -3..<3, using: &random)) { self.append("\(Self.field(&random))\r\n") }
        self.append("\r\n")
    }

    private static func size(_ count: Int, _ random: inout SeededGenerator) -> String {
        let size = String(count, radix: 16, uppercase: Bool.random(using: &random))
        let zeros = String(repeating: "0", count: max(0, Int.random(in: -4..<4, using: &random)))
        let isExtended = Int.random(in: 0..<4, using: &random) == 0
        return "\(zeros)\(size)\(isExtended ? ";name=value" : "")\r\n"
    }

    private static func field(_ random: inout SeededGenerator) -> String {
        [
            "Connection: keep-alive", "connection: close", "Content-Type: text/event-stream", "Server:uvicorn",
            "X-Empty:",
            "Date: Thu, 26 Nov 2026 10:00:00 GMT", "x-request-id: \tabc; d=\"e\" ", "Retry-After: 1",
        ].randomElement(using: &random) ?? ""
    }

    private static func anyCase(_ text: String, _ random: inout SeededGenerator) -> String {
        String(text.map { Bool.random(using: &random) ? Character($0.uppercased()) : Character($0.lowercased()) })
    }
}
