/// A JSON value whose objects keep the order in which their members were given, so that answers read as documented.
public enum JSON: Sendable, Equatable {
    /// `null`.
    case null
    /// `true` or `false`.
    case bool(Bool)
    /// A whole number.
    case integer(Int64)
    /// Any other number; not finite ones are written as `null`.
    case number(Double)
    /// Text.
    case string(String)
    /// Values in order.
    case array([JSON])
    /// Members in order; names are not checked for being unique.
    case object([(String, JSON)])

    /// Equal when values, names and order are equal.
    public static func == (left: JSON, right: JSON) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let left), .bool(let right)): left == right
        case (.integer(let left), .integer(let right)): left == right
        case (.number(let left), .number(let right)): left == right
        case (.string(let left), .string(let right)): left == right
        case (.array(let left), .array(let right)): left == right
        case (.object(let left), .object(let right)): left.elementsEqual(right) { $0.0 == $1.0 && $0.1 == $1.1 }
        default: false
        }
    }

    /// Member of an object; nil when there is none or this is no object.
    public subscript(name: String) -> JSON? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.0 == name }?.1
    }

    /// What kind of value this is, for error messages.
    public var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .integer, .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

extension JSON {
    /// The text, or `null` when it is empty: how protobuf's empty strings read in the REST API.
    static func text(_ text: String) -> JSON {
        text.isEmpty ? .null : .string(text)
    }

    /// The number, or `null` when there is none.
    static func optional(_ value: Int64?) -> JSON {
        value.map { .integer($0) } ?? .null
    }

    /// A count; one too large for the REST API's integers is written as the largest.
    static func count(_ value: UInt64) -> JSON {
        .integer(Int64(clamping: value))
    }
}
