/// Finds where a field of an encoded message is.
enum FieldScan {
    /// Where the content of the last field `number` of texts, bytes and messages is; nil: there is none, or the bytes are
    /// no message. The last one is the one that counts.
    static func last(_ number: UInt64, in bytes: UnsafeRawBufferPointer) -> Range<Int>? {
        var offset = 0
        var found: Range<Int>?
        while offset < bytes.count {
            guard let key = self.varint(bytes, &offset) else { return nil }
            let length: UInt64
            switch key & 7 {
            case 0:
                guard self.varint(bytes, &offset) != nil else { return nil }
                length = 0
            case 1: length = 8
            case 2:
                guard let count = self.varint(bytes, &offset) else { return nil }
                length = count
            case 5: length = 4
            default: return nil
            }
            guard length <= UInt64(bytes.count - offset) else { return nil }
            let end = offset + Int(length)
            if key == number << 3 | 2 { found = offset..<end }
            offset = end
        }
        return found
    }

    private static func varint(_ bytes: UnsafeRawBufferPointer, _ offset: inout Int) -> UInt64? {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while offset < bytes.count, shift < 64 {
            let byte = bytes[offset]
            offset += 1
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        return nil
    }
}
