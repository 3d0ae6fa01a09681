/// Decodes and encodes the text of JSON strings.
public enum JSONString {
    /// The text of a valid string, given the bytes between its quotes.
    ///
    /// UTF-8, except that a lone surrogate escape, which JSON allows, becomes the three bytes that UTF-8 would use for
    /// it: two strings are the same exactly when these bytes are.
    public static func decode(_ raw: UnsafeRawBufferPointer) -> [UInt8] {
        guard raw.contains(UInt8(ascii: "\\")) else { return Array(raw) }
        var text: [UInt8] = []
        text.reserveCapacity(raw.count)
        var index = 0
        while index < raw.count {
            guard raw[index] == UInt8(ascii: "\\"), index + 1 < raw.count else {
                text.append(raw[index])
                index += 1
                continue
            }
            if raw[index + 1] == UInt8(ascii: "u") {
                let (scalar, used) = self.codePoint(raw, at: index)
                self.append(scalar, to: &text)
                index += used
            } else {
                text.append(self.plainEscape(raw[index + 1]))
                index += 2
            }
        }
        return text
    }

    /// Whether a string is this ASCII text, however it is escaped. `raw` is what stands between its quotes.
    public static func equals(_ raw: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
        let wanted = UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        if raw.count == wanted.count { return raw.elementsEqual(wanted) }
        guard raw.count > wanted.count, raw.count <= 6 * wanted.count else { return false }
        return self.decode(raw).elementsEqual(wanted)
    }

    /// Appends a string with its quotes. Bytes that are not UTF-8 are replaced, since JSON cannot hold them.
    public static func appendEncoded(_ utf8: UnsafeRawBufferPointer, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        if utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }) {
            bytes.append(contentsOf: utf8)
        } else {
            for byte in String(decoding: utf8, as: UTF8.self).utf8 {
                self.appendEscaped(byte, to: &bytes)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// Appends a string with its quotes.
    public static func appendEncoded(_ text: String, to bytes: inout [UInt8]) {
        var text = text
        text.withUTF8 { self.appendEncoded(UnsafeRawBufferPointer($0), to: &bytes) }
    }

    private static func appendEscaped(_ byte: UInt8, to bytes: inout [UInt8]) {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"):
            bytes.append(UInt8(ascii: "\\"))
            bytes.append(byte)
        case UInt8(ascii: "\n"): bytes.append(contentsOf: #"\n"#.utf8)
        case UInt8(ascii: "\r"): bytes.append(contentsOf: #"\r"#.utf8)
        case UInt8(ascii: "\t"): bytes.append(contentsOf: #"\t"#.utf8)
        case ..<0x20:
            let digits = Array("0123456789abcdef".utf8)
            bytes.append(contentsOf: #"\u00"#.utf8)
            bytes.append(digits[Int(byte >> 4)])
            bytes.append(digits[Int(byte & 0xF)])
        default: bytes.append(byte)
        }
    }

    private static func plainEscape(_ byte: UInt8) -> UInt8 {
        switch byte {
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0C
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "r"): 0x0D
        case UInt8(ascii: "t"): 0x09
        default: byte
        }
    }

    /// The code point of the escape at `index` and the bytes it takes; a surrogate pair is one code point.
    private static func codePoint(_ raw: UnsafeRawBufferPointer, at index: Int) -> (UInt32, Int) {
        let first = self.unit(raw, at: index)
        guard (0xD800..<0xDC00).contains(first), index + 12 <= raw.count,
            raw[index + 6] == UInt8(ascii: "\\"), raw[index + 7] == UInt8(ascii: "u")
        else { return (first, 6) }
        let second = self.unit(raw, at: index + 6)
        guard (0xDC00..<0xE000).contains(second) else { return (first, 6) }
        return (0x10000 + (first - 0xD800) << 10 + (second - 0xDC00), 12)
    }

    private static func unit(_ raw: UnsafeRawBufferPointer, at index: Int) -> UInt32 {
        var value: UInt32 = 0
        for position in (index + 2)..<min(index + 6, raw.count) {
            value = value << 4 | UInt32(raw[position].hexadecimalValue ?? 0)
        }
        return value
    }

    private static func append(_ codePoint: UInt32, to text: inout [UInt8]) {
        func tail(_ shift: UInt32) -> UInt8 { UInt8(0x80 | (codePoint >> shift & 0x3F)) }
        switch codePoint {
        case ..<0x80: text.append(UInt8(codePoint))
        case ..<0x800: text += [UInt8(0xC0 | codePoint >> 6), tail(0)]
        case ..<0x10000: text += [UInt8(0xE0 | codePoint >> 12), tail(6), tail(0)]
        default: text += [UInt8(0xF0 | codePoint >> 18), tail(12), tail(6), tail(0)]
        }
    }
}
