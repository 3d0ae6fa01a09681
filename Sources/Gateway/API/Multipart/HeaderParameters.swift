/// A header value of the form `value; name=token; name="quoted"` (RFC 9110, section 5.6.6).
struct HeaderParameters: Equatable {
    /// What stands before the first semicolon, lower-cased.
    var value: String
    /// Names lower-cased, values without quotes and escapes, in order.
    var parameters: [(name: String, value: String)]

    static func == (left: HeaderParameters, right: HeaderParameters) -> Bool {
        left.value == right.value && left.parameters.elementsEqual(right.parameters, by: ==)
    }

    /// Reads a value; nil when it is malformed or repeats a parameter.
    init?(_ text: some Collection<UInt8>) {
        var scanner = Scanner(rest: Array(text)[...])
        self.value = scanner.take { $0 != UInt8(ascii: ";") }.trimmed.lowercased()
        self.parameters = []
        while scanner.skip(UInt8(ascii: ";")) {
            scanner.skipSpace()
            // Some clients end the list with a semicolon.
            if scanner.rest.isEmpty { break }
            let name = scanner.take { $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: ";") }.trimmed.lowercased()
            guard !name.isEmpty, self[name] == nil, scanner.skip(UInt8(ascii: "=")) else { return nil }
            scanner.skipSpace()
            guard let value = scanner.takeValue() else { return nil }
            self.parameters.append((name, value))
            scanner.skipSpace()
        }
        guard scanner.rest.isEmpty else { return nil }
    }

    /// What stands before the parameters, lower-cased; nil when they are malformed or repeat.
    static func value(of text: String) -> String? {
        // As nearly all are.
        text == "application/json" ? text : HeaderParameters(text.utf8)?.value
    }

    subscript(name: String) -> String? {
        self.parameters.first { $0.name == name }?.value
    }

    private struct Scanner {
        var rest: ArraySlice<UInt8>

        mutating func skip(_ byte: UInt8) -> Bool {
            guard self.rest.first == byte else { return false }
            self.rest.removeFirst()
            return true
        }

        mutating func skipSpace() {
            self.rest = self.rest.drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
        }

        mutating func take(while matches: (UInt8) -> Bool) -> Text {
            let taken = self.rest.prefix(while: matches)
            self.rest = self.rest[taken.endIndex...]
            return Text(bytes: taken)
        }

        /// A token, or the content of a quoted string. Only `\"` and `\\` are escapes: old clients send Windows paths
        /// with single backslashes.
        mutating func takeValue() -> String? {
            guard self.skip(UInt8(ascii: "\"")) else {
                return self.take { $0 != UInt8(ascii: ";") }.trimmed
            }
            var value: [UInt8] = []
            while let byte = self.rest.popFirst() {
                switch byte {
                case UInt8(ascii: "\""): return String(decoding: value, as: UTF8.self)
                case UInt8(ascii: "\\") where self.rest.first == UInt8(ascii: "\"") || self.rest.first == byte:
                    value.append(self.rest.removeFirst())
                default: value.append(byte)
                }
            }
            return nil
        }
    }

    private struct Text {
        var bytes: ArraySlice<UInt8>

        var trimmed: String {
            let isSpace = { (byte: UInt8) in byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
            let start = self.bytes.drop(while: isSpace)
            return String(
                decoding: start.prefix(upTo: (start.lastIndex { !isSpace($0) } ?? start.startIndex - 1) + 1),
                as: UTF8.self
            )
        }
    }
}
