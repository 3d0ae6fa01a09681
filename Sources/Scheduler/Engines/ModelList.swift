import JSONSpans
import SchedulerCore

/// Reads the answer of an engine's `/v1/models`.
enum ModelList {
    /// Most models of one engine.
    static let maximumModels = 1_000
    /// Longest name in bytes.
    static let maximumNameBytes = 512

    /// The ids in `{"data":[{"id":...}, ...]}`; nil when it is something else.
    static func names(in body: [UInt8]) -> [String]? {
        body.withUnsafeBytes { bytes in
            guard let data = self.member("data", of: bytes, in: 0..<bytes.count), data.kind == .array else {
                return nil
            }
            var names: [String] = []
            let visited: Void? = try? JSONDocument.elements(of: bytes, in: data.range) { element in
                guard element.kind == .object, names.count < self.maximumModels,
                    let id = self.member("id", of: bytes, in: element.range), id.kind == .string,
                    id.range.count <= self.maximumNameBytes + 2
                else { return }
                let inside = (id.range.lowerBound + 1)..<(id.range.upperBound - 1)
                let decoded = JSONString.decode(UnsafeRawBufferPointer(rebasing: bytes[inside]))
                names.append(String(decoding: decoded, as: UTF8.self))
            }
            return visited == nil ? nil : names
        }
    }

    private static func member(
        _ name: StaticString,
        of bytes: UnsafeRawBufferPointer,
        in range: Range<Int>
    ) -> JSONSpan? {
        var found: JSONSpan?
        let visited: Void? = try? JSONDocument.members(of: bytes, in: range) { key, value in
            if JSONString.equals(UnsafeRawBufferPointer(rebasing: bytes[key]), name) { found = value }
        }
        return visited == nil ? nil : found
    }
}
