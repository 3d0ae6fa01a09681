internal import FoundationEssentials
public import NIOCore

extension JSON {
    /// Reads a request body.
    ///
    /// - Throws: 400 `invalid_json` when it is not one JSON value in UTF-8.
    public init(parsing buffer: ByteBuffer) throws(APIError) {
        do {
            self = try JSONDecoder().decode(JSON.self, from: Data(buffer.readableBytesView))
        } catch {
            throw APIError.invalidRequest("The request body is not valid JSON.", code: "invalid_json")
        }
    }
}

extension JSON: Decodable {
    /// Deepest nesting that is read. No request needs more, and each level costs stack.
    private static let maximumDepth = 16

    /// Reads one value; the order of an object's members is not kept.
    public init(from decoder: any Decoder) throws {
        guard decoder.codingPath.count <= Self.maximumDepth else {
            throw DecodingError.dataCorrupted(.init(codingPath: [], debugDescription: "nested too deeply"))
        }
        if let members = try? decoder.container(keyedBy: Name.self) {
            self = .object(try members.allKeys.map { ($0.stringValue, try members.decode(JSON.self, forKey: $0)) })
        } else if var values = try? decoder.unkeyedContainer() {
            var array: [JSON] = []
            while !values.isAtEnd {
                array.append(try values.decode(JSON.self))
            }
            self = .array(array)
        } else {
            self = try Self.scalar(decoder.singleValueContainer())
        }
    }

    private static func scalar(_ container: any SingleValueDecodingContainer) throws -> JSON {
        if container.decodeNil() { return .null }
        if let value = try? container.decode(Bool.self) { return .bool(value) }
        if let value = try? container.decode(Int64.self) { return .integer(value) }
        if let value = try? container.decode(Double.self) { return .number(value) }
        return .string(try container.decode(String.self))
    }

    private struct Name: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }
}
