import Yams

/// The settings of a program after all layers were read: flags over environment over file over defaults.
public struct SettingsValues: Sendable {
    fileprivate var values: [String: any Sendable] = [:]

    /// The value of a setting; nil: it was not given and has no default.
    public subscript<Value>(key: SettingKey<Value>) -> Value? {
        self.values[key.name] as? Value ?? key.defaultValue
    }

    /// The value of a setting that must be given.
    public func required<Value>(_ key: SettingKey<Value>) throws(SettingsError) -> Value {
        guard let value = self[key] else { throw .refused("--\(key.name) \(key.placeholder) is required: \(key.help)") }
        return value
    }
}

/// Why a program does not start.
public enum SettingsError: Error, Sendable, Equatable {
    /// Something is wrong; the text says what and where.
    case refused(String)
    /// `--help` or `--version` was asked for; print the text and exit with 0.
    case answered(String)

    /// The text.
    public var message: String {
        switch self {
        case .refused(let text), .answered(let text): text
        }
    }
}

extension SettingsSchema {
    /// Largest configuration file, in bytes.
    public static let maximumFileBytes = 1 << 20

    /// Reads all layers.
    /// - Parameters:
    ///   - arguments: without the program's name.
    ///   - environment: the process's.
    ///   - readFile: gives the text of a file of at most `maximumFileBytes`.
    public func read(
        arguments: [String],
        environment: [String: String],
        readFile: (String) throws(SettingsError) -> String
    ) throws(SettingsError) -> SettingsValues {
        let flags = try self.flags(arguments)
        let fromEnvironment = try self.variables(environment)
        var values = SettingsValues()
        if let path = flags["config"]?.last ?? environment["BACKFILL_CONFIG"] {
            let text = try readFile(path)
            for (name, found) in try self.file(text, path) {
                values.values[name] = try self.parse(name, found.texts, "\(path):\(found.line)")
            }
        }
        for (name, texts) in fromEnvironment {
            values.values[name] = try self.parse(name, texts, AnySetting.environmentName(name))
        }
        for (name, texts) in flags where name != "config" {
            values.values[name] = try self.parse(name, texts, "--\(name)")
        }
        return values
    }

    private func parse(_ name: String, _ texts: [String], _ place: String) throws(SettingsError) -> any Sendable {
        guard let setting = self.setting(name) else { throw .refused("\(place): unknown setting") }
        do throws(SettingProblem) {
            return try setting.parse(texts)
        } catch {
            throw .refused("\(place): \(error.message)")
        }
    }

    private func unknown(_ what: String, _ name: String, among known: [String]) -> SettingsError {
        let nearest = NearestName.find(name, among: known).map { "; did you mean \($0)?" } ?? ""
        return .refused("\(what) \(name)\(nearest)")
    }
}

// MARK: - Layers

extension SettingsSchema {
    private func flags(_ arguments: [String]) throws(SettingsError) -> [String: [String]] {
        var flags: [String: [String]] = [:]
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            guard argument.hasPrefix("--") else { throw .refused("unexpected argument '\(argument)'; see --help") }
            let parts = argument.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            if name == "help" { throw .answered(self.helpText) }
            if name == "version" { throw .answered("\(self.program) \(self.version)\n") }
            let setting = self.setting(name)
            guard setting != nil || name == "config" else {
                let known = self.settings.map { "--\($0.name)" } + ["--config", "--help", "--version"]
                throw self.unknown("unknown flag", "--\(name)", among: known)
            }
            if parts.count == 2 {
                flags[name, default: []].append(String(parts[1]))
            } else if setting?.isFlag == true {
                flags[name, default: []].append("true")
            } else if let value = rest.popFirst() {
                flags[name, default: []].append(value)
            } else {
                throw .refused("--\(name) needs a value")
            }
        }
        for (name, texts) in flags where texts.count > 1 && self.setting(name)?.isList != true {
            throw .refused("--\(name) is given more than once")
        }
        return flags
    }

    private func variables(_ environment: [String: String]) throws(SettingsError) -> [String: [String]] {
        var found: [String: [String]] = [:]
        for (name, text) in environment where name.hasPrefix("BACKFILL_") {
            if let setting = self.settings.first(where: { $0.environmentName == name }) {
                let isList = setting.isList
                found[setting.name] = isList ? text.split(separator: ",").map(String.init) : [text]
            } else if !Self.environmentOfAllPrograms.contains(name) {
                let known = self.settings.map(\.environmentName) + Self.environmentOfAllPrograms
                throw self.unknown("unknown environment variable", name, among: known)
            }
        }
        return found
    }

    private func file(
        _ text: String,
        _ path: String
    ) throws(SettingsError) -> [String: (texts: [String], line: Int)] {
        let root: Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch {
            throw .refused("\(path): \(error)")
        }
        guard let root else { return [:] }
        guard let mapping = root.mapping else { throw .refused("\(path): give settings as `name: value`") }
        var found: [String: (texts: [String], line: Int)] = [:]
        for (key, value) in mapping {
            let line = key.mark?.line ?? 0
            let name = (key.string ?? "").replacing("_", with: "-")
            guard let setting = self.setting(name) else {
                let known = self.settings.map { $0.name.replacing("-", with: "_") }
                throw self.unknown("\(path):\(line): unknown key", key.string ?? "", among: known)
            }
            guard found[name] == nil else { throw .refused("\(path):\(line): \(name) is given twice") }
            let nodes = value.sequence.map { Array($0) } ?? [value]
            let texts = nodes.compactMap { $0.scalar?.string }
            guard texts.count == nodes.count, value.sequence == nil || setting.isList else {
                let wanted = setting.isList ? "a value or a list of values" : "one value"
                throw .refused("\(path):\(line): \(name) takes \(wanted)")
            }
            found[name] = (texts, line)
        }
        return found
    }
}
