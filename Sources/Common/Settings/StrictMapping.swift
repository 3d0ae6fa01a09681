import Yams

/// A mapping of a YAML file that is read strictly: unknown keys are refused with the nearest name, and whatever is wrong
/// is told with its line. Values are never in errors, since the file may be about secrets.
package struct StrictMapping {
    /// The file, for errors.
    package let path: String
    /// Line at which it begins, from 1.
    package let line: Int
    private let entries: [Entry]

    private struct Entry {
        var name: String
        var line: Int
        var node: Node
    }

    /// Reads the whole file; an empty one is an empty mapping.
    ///
    /// - Parameter known: the keys that there are.
    package static func document(
        _ text: String,
        path: String,
        known: [String]
    ) throws(SettingsError) -> StrictMapping {
        let root: Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch {
            throw .refused("\(path):\(Self.problem(error))")
        }
        return try StrictMapping(root ?? .mapping(Node.Mapping([])), path: path, line: 1, known: known)
    }

    private init(_ node: Node, path: String, line: Int, known: [String]?) throws(SettingsError) {
        self.path = path
        self.line = node.mark?.line ?? line
        guard let mapping = node.mapping else { throw .refused("\(path):\(self.line): give `name: value` pairs here") }
        var entries: [Entry] = []
        for (key, value) in mapping {
            let (line, name) = (key.mark?.line ?? self.line, key.string ?? "")
            if let known, !known.contains(name) {
                let nearest = NearestName.find(name, among: known).map { "; did you mean \($0)?" } ?? ""
                throw .refused("\(path):\(line): unknown key \(name.prefix(64))\(nearest)")
            }
            entries.append(Entry(name: name, line: line, node: value))
        }
        self.entries = entries
    }

    /// The names of its keys, in their order.
    package var names: [String] { self.entries.map(\.name) }

    /// Text; nil when the key is not there.
    package func text(_ name: String) throws(SettingsError) -> String? {
        guard let entry = self.entry(name) else { return nil }
        guard let text = entry.node.scalar?.string, !text.isEmpty else {
            throw self.refused(name, "takes one value")
        }
        return text
    }

    /// Text that has to be there.
    package func required(_ name: String) throws(SettingsError) -> String {
        guard let text = try self.text(name) else { throw .refused("\(self.path):\(self.line): '\(name)' is missing") }
        return text
    }

    /// A whole number within a range; nil when the key is not there.
    package func integer(_ name: String, in range: ClosedRange<Int>) throws(SettingsError) -> Int? {
        guard let text = try self.text(name) else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw self.refused(name, "takes a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// Whether the key's value is a mapping and no plain value.
    package func isMapping(_ name: String) -> Bool {
        self.entry(name)?.node.mapping != nil
    }

    /// A mapping within; nil when the key is not there.
    ///
    /// - Parameter known: the keys that there are; nil: any.
    package func mapping(_ name: String, known: [String]?) throws(SettingsError) -> StrictMapping? {
        guard let entry = self.entry(name) else { return nil }
        return try StrictMapping(entry.node, path: self.path, line: entry.line, known: known)
    }

    /// A list of mappings; empty when the key is not there.
    package func list(_ name: String, known: [String], maximum: Int) throws(SettingsError) -> [StrictMapping] {
        guard let entry = self.entry(name) else { return [] }
        guard let nodes = entry.node.sequence else { throw self.refused(name, "takes a list") }
        guard nodes.count <= maximum else { throw self.refused(name, "takes at most \(maximum) entries") }
        var mappings: [StrictMapping] = []
        for node in nodes {
            mappings.append(try StrictMapping(node, path: self.path, line: entry.line, known: known))
        }
        return mappings
    }

    /// What is wrong with a key's value.
    package func refused(_ name: String, _ message: String) -> SettingsError {
        .refused("\(self.path):\(self.entry(name)?.line ?? self.line): '\(name)' \(message)")
    }

    private func entry(_ name: String) -> Entry? {
        self.entries.first { $0.name == name }
    }

    /// Yams' own text would show the lines at fault.
    private static func problem(_ error: any Error) -> String {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            "\(mark.line): \(problem)"
        case .duplicatedKeysInMapping(_, let context): "\(context.mark.line): a key is given twice in this mapping"
        default: " it is not YAML"
        }
    }
}
