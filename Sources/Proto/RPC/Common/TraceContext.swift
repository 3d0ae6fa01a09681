/// A request's place in a distributed trace as W3C Trace Context has it (G6-07): the header fields `traceparent` and
/// `tracestate`, and metadata under the same names. It is passed on as it came, or not at all.
public struct TraceContext: Sendable, Equatable {
    /// Longest `traceparent`, in bytes: those of later versions of the standard may be longer than today's 55.
    public static let maximumParentBytes = 256
    /// Longest `tracestate`, in bytes; the standard asks for 512.
    public static let maximumStateBytes = 2_048
    /// Most members of a `tracestate`, by the standard.
    public static let maximumStateMembers = 32

    /// The trace, the span that asks, and whether it is sampled.
    public let parent: String
    /// What tracing systems add to it; nil: nothing.
    public let state: String?

    /// nil without a well-formed `traceparent`. A `tracestate` that is not well-formed, or too long, is left out.
    ///
    /// - Parameters:
    ///   - parent: the value of the one `traceparent`; several, joined by commas, are not well-formed.
    ///   - state: the value of `tracestate`; several are joined by commas.
    public init?(parent: String?, state: String?) {
        guard let parent, Self.check(parent, Self.isParent) else { return nil }
        self.parent = parent
        self.state = state.flatMap { Self.check($0, Self.isState) ? $0 : nil }
    }

    /// Name and value of each field that there is.
    public var fields: [(name: String, value: String)] {
        [("traceparent", self.parent)] + (self.state.map { [("tracestate", $0)] } ?? [])
    }

    private static func check(_ text: String, _ isWellFormed: (Slice<UnsafeBufferPointer<UInt8>>) -> Bool) -> Bool {
        var text = text
        return text.withUTF8 { isWellFormed($0[...]) }
    }

    // MARK: - traceparent

    private static let versionBytes = 2
    private static let traceBytes = 32
    private static let spanBytes = 16
    private static let flagsBytes = 2

    /// `version-trace-span-flags`, in lower-case hex digits; what follows in later versions is not looked at.
    private static func isParent(_ text: Slice<UnsafeBufferPointer<UInt8>>) -> Bool {
        guard text.count <= self.maximumParentBytes else { return false }
        var rest = text
        guard let version = self.takeHex(self.versionBytes, from: &rest), !version.elementsEqual("ff".utf8),
            self.take("-", from: &rest),
            let trace = self.takeHex(self.traceBytes, from: &rest), !trace.allSatisfy({ $0 == UInt8(ascii: "0") }),
            self.take("-", from: &rest),
            let span = self.takeHex(self.spanBytes, from: &rest), !span.allSatisfy({ $0 == UInt8(ascii: "0") }),
            self.take("-", from: &rest),
            self.takeHex(self.flagsBytes, from: &rest) != nil
        else { return false }
        if rest.isEmpty { return true }
        return !version.elementsEqual("00".utf8) && rest.first == UInt8(ascii: "-")
            && rest.allSatisfy { 0x21...0x7E ~= $0 }
    }

    private static func takeHex(
        _ count: Int,
        from rest: inout Slice<UnsafeBufferPointer<UInt8>>
    ) -> Slice<UnsafeBufferPointer<UInt8>>? {
        let digits = rest.prefix(count)
        guard digits.count == count, digits.allSatisfy(self.isHex) else { return nil }
        rest = rest.dropFirst(count)
        return digits
    }

    private static func take(_ character: Unicode.Scalar, from rest: inout Slice<UnsafeBufferPointer<UInt8>>) -> Bool {
        guard rest.first == UInt8(ascii: character) else { return false }
        rest = rest.dropFirst()
        return true
    }

    private static func isHex(_ byte: UInt8) -> Bool {
        self.isDigit(byte) || UInt8(ascii: "a")...UInt8(ascii: "f") ~= byte
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
    }

    // MARK: - tracestate

    private static let maximumKeyBytes = 256
    private static let maximumValueBytes = 256

    /// Members `key=value` with keys of their own, separated by commas. Some may be empty, but not all.
    private static func isState(_ text: Slice<UnsafeBufferPointer<UInt8>>) -> Bool {
        guard text.count <= self.maximumStateBytes else { return false }
        var keys: [Slice<UnsafeBufferPointer<UInt8>>] = []
        for part in text.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
            let member = self.trimmed(part)
            if member.isEmpty { continue }
            guard let end = member.firstIndex(of: UInt8(ascii: "=")) else { return false }
            let key = member[..<end]
            guard self.isKey(key), self.isValue(member[member.index(after: end)...]),
                keys.count < self.maximumStateMembers, !keys.contains(where: { $0.elementsEqual(key) })
            else { return false }
            keys.append(key)
        }
        return !keys.isEmpty
    }

    private static func trimmed(_ text: Slice<UnsafeBufferPointer<UInt8>>) -> Slice<UnsafeBufferPointer<UInt8>> {
        let isSpace: (UInt8) -> Bool = { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
        var text = text.drop(while: isSpace)
        while let last = text.last, isSpace(last) { text = text.dropLast() }
        return text
    }

    private static func isKey(_ key: Slice<UnsafeBufferPointer<UInt8>>) -> Bool {
        guard let first = key.first, self.isLetter(first) || self.isDigit(first) else { return false }
        return key.count <= self.maximumKeyBytes
            && key.allSatisfy { self.isLetter($0) || self.isDigit($0) || "_-*/@".utf8.contains($0) }
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte
    }

    private static func isValue(_ value: Slice<UnsafeBufferPointer<UInt8>>) -> Bool {
        (1...self.maximumValueBytes).contains(value.count)
            && value.allSatisfy { 0x20...0x7E ~= $0 && $0 != UInt8(ascii: ",") && $0 != UInt8(ascii: "=") }
    }
}

extension RPCContext {
    /// The call's place in a distributed trace; nil: it has none, or none that is well-formed.
    public var trace: TraceContext? {
        guard let parent = self.metadata["traceparent"] else { return nil }
        return TraceContext(parent: parent, state: self.metadata["tracestate"])
    }
}
