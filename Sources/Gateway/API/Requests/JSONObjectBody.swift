import NIOCore

/// A request body that is a JSON object with known members.
struct JSONObjectBody {
    private let json: JSON

    /// Reads a body and refuses members that are not known.
    ///
    /// - Throws: 400 with `param` naming the member at fault.
    init(_ body: ByteBuffer, known: [String]) throws(APIError) {
        let json = try JSON(parsing: body)
        guard case .object(let members) = json else {
            throw .invalidRequest("The request body must be a JSON object, not \(json.kind).", code: "invalid_json")
        }
        for (name, _) in members where !known.contains(name) {
            throw Suggestion.unknown("parameter", name, among: known)
        }
        self.json = json
    }

    /// The member; `null` when it is not there.
    subscript(name: String) -> JSON { self.json[name] ?? .null }

    /// Text that is not empty; nil when it is not there.
    func text(_ name: String) throws(APIError) -> String? {
        switch self[name] {
        case .null: return nil
        case .string(let text) where text.isEmpty: throw .invalidValue("'\(name)' must not be empty.", param: name)
        // Protobuf's C strings end at NUL.
        case .string(let text) where text.utf8.contains(0):
            throw .invalidValue("'\(name)' must not contain NUL.", param: name)
        case .string(let text): return text
        case let other: throw .invalidType(name, expected: "a string", other)
        }
    }

    /// Text that is not empty and must be there.
    func requiredText(_ name: String) throws(APIError) -> String {
        guard let text = try self.text(name) else { throw .missing(name) }
        return text
    }
}
