/// A fault asked for by the header `x-simulator-fault: NAME;key=value` or by `[[fault:NAME;key=value]]` anywhere in the
/// body.
///
/// | name | what happens |
/// |---|---|
/// | `status` | HTTP status `code` (500), with `retry_after` seconds when given |
/// | `reset_before` | the connection is closed without an answer |
/// | `reset_body` | the connection is closed in the middle of the body |
/// | `hang` | nothing is ever answered |
/// | `stall` | half of the body comes, then nothing more |
/// | `garbage` | 200 with an HTML page |
/// | `invalid_json` | 200 with half of the JSON |
/// | `empty` | 200 without a body |
/// | `invalid_utf8` | 200 with a string that is not UTF-8 |
/// | `huge` | 200 with a JSON string of `bytes` (100,000,000) |
/// | `deep` | 200 with arrays nested `depth` (100,000) deep |
/// | `crlf_body` | the right answer with CR and LF between its tokens |
/// | `status_then_ok` | status `code` (500) the first `times` (1) times this body comes, then the right answer |
struct Fault: Sendable, Equatable {
    /// The names of the table.
    enum Name: String, Sendable, CaseIterable {
        case status
        case resetBefore = "reset_before"
        case resetBody = "reset_body"
        case hang
        case stall
        case garbage
        case invalidJSON = "invalid_json"
        case empty
        case invalidUTF8 = "invalid_utf8"
        case huge
        case deep
        case crlfBody = "crlf_body"
        case statusThenOK = "status_then_ok"
    }

    var name: Name
    private var values: [String: Int]

    /// Reads `NAME;key=value`; nil when there is no such fault.
    init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ";")
        guard let first = parts.first, let name = Name(rawValue: String(first)) else { return nil }
        self.name = name
        self.values = [:]
        for part in parts.dropFirst() {
            let pair = part.split(separator: "=", maxSplits: 1)
            guard pair.count == 2, let value = Int(pair[1]) else { return nil }
            self.values[String(pair[0])] = value
        }
    }

    /// Looks for a fault in a body.
    init?(inBody body: UnsafeRawBufferPointer) {
        let marker = Array("[[fault:".utf8)
        var start = body.startIndex
        while let bracket = body[start...].firstIndex(of: UInt8(ascii: "[")) {
            start = bracket + 1
            guard body[bracket...].starts(with: marker) else { continue }
            let rest = body[(bracket + marker.count)...].prefix(128)
            guard let end = rest.firstIndex(of: UInt8(ascii: "]")) else { return nil }
            self.init(String(decoding: rest[..<end], as: UTF8.self))
            return
        }
        return nil
    }

    /// A number of the fault, or its default.
    func value(_ key: String, _ otherwise: Int) -> Int { self.values[key] ?? otherwise }
}
