/// An object of AIBrix's extension while it is read: unknown fields are refused, and errors name the field at fault.
///
/// A field that is `null` is as one that is not there.
struct AIBrixFields {
    /// Longest text, in bytes.
    private static let maximumTextBytes = 256

    /// Where the object is, such as `aibrix.runtime`.
    let path: String
    private let json: JSON

    init(_ json: JSON, path: String, known: [String]) throws(APIError) {
        guard case .object(let members) = json else { throw .invalidType(path, expected: "an object", json) }
        for (name, _) in members where !known.contains(name) {
            throw Suggestion.unknown("parameter of '\(path)'", name, among: known)
        }
        self.path = path
        self.json = json
    }

    /// A field; nil when it is not there.
    subscript(name: String) -> JSON? {
        let value = self.json[name] ?? .null
        return value == .null ? nil : value
    }

    /// Text; empty when it is not there.
    func text(_ name: String) throws(APIError) -> String {
        guard let value = self[name] else { return "" }
        guard case .string(let text) = value else { throw .invalidType(self.name(name), expected: "a string", value) }
        guard !text.isEmpty, text.utf8.count <= Self.maximumTextBytes, !text.utf8.contains(0) else {
            throw .invalidValue(
                "'\(self.name(name))' must have 1 to \(Self.maximumTextBytes) bytes, without NUL.",
                param: self.name(name)
            )
        }
        return text
    }

    func requiredText(_ name: String) throws(APIError) -> String {
        guard self[name] != nil else { throw .missing(self.name(name)) }
        return try self.text(name)
    }

    /// A whole number, not below `minimum`; nil when it is not there.
    @discardableResult
    func integer(_ name: String, from minimum: Int64, to maximum: Int64 = .max) throws(APIError) -> Int64? {
        guard let value = self[name] else { return nil }
        guard case .integer(let number) = value else {
            throw .invalidType(self.name(name), expected: "a whole number", value)
        }
        guard (minimum...maximum).contains(number) else {
            let end = maximum == .max ? "or more" : "to \(maximum)"
            throw .invalidValue("'\(self.name(name))' must be \(minimum) \(end).", param: self.name(name))
        }
        return number
    }

    /// A number, not below `minimum`.
    func number(_ name: String, from minimum: Double) throws(APIError) {
        let number: Double
        switch self[name] {
        case nil: return
        case .integer(let value): number = Double(value)
        case .number(let value): number = value
        case .some(let other): throw .invalidType(self.name(name), expected: "a number", other)
        }
        guard number >= minimum else {
            throw .invalidValue("'\(self.name(name))' must be \(minimum) or more.", param: self.name(name))
        }
    }

    func flag(_ name: String) throws(APIError) {
        guard let value = self[name] else { return }
        guard case .bool = value else { throw .invalidType(self.name(name), expected: "a boolean", value) }
    }

    /// Any object; nil when it is not there.
    @discardableResult
    func anything(_ name: String) throws(APIError) -> [(String, JSON)]? {
        guard let value = self[name] else { return nil }
        guard case .object(let members) = value else {
            throw .invalidType(self.name(name), expected: "an object", value)
        }
        return members
    }

    /// An object within; nil when it is not there.
    func object(_ name: String, known: [String]) throws(APIError) -> AIBrixFields? {
        guard let value = self[name] else { return nil }
        return try AIBrixFields(value, path: self.name(name), known: known)
    }

    /// Objects within; a single one stands for a list of it.
    func objects(_ name: String, known: [String]) throws(APIError) -> [AIBrixFields] {
        guard let value = self[name] else { return [] }
        guard case .array(let values) = value else {
            return [try AIBrixFields(value, path: self.name(name), known: known)]
        }
        var objects: [AIBrixFields] = []
        for (index, value) in values.enumerated() {
            objects.append(try AIBrixFields(value, path: "\(self.name(name))[\(index)]", known: known))
        }
        return objects
    }

    /// The field's whole name, for errors.
    func name(_ field: String) -> String { "\(self.path).\(field)" }
}
