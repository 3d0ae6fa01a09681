/// One setting of a program, declared once: from this come the flag `--name`, the environment variable `BACKFILL_NAME`,
/// the key `name` of the configuration file, its checks and its documentation.
public struct SettingKey<Value: Sendable>: Sendable {
    /// Words joined by dashes, such as `engine-concurrency`.
    public let name: String
    /// What is shown for a value, such as `HOST:PORT`.
    let placeholder: String
    /// One line for people.
    let help: String
    /// As a person would write it; nil: there is none and the setting must be given.
    let defaultText: String?
    /// Whether it may be given several times.
    let isList: Bool
    let defaultValue: Value?
    let parse: @Sendable ([String]) throws(SettingProblem) -> Value

    /// The setting without its type.
    public var erased: AnySetting {
        AnySetting(
            name: self.name,
            placeholder: self.placeholder,
            help: self.help,
            defaultText: self.defaultText,
            isList: self.isList,
            isFlag: Value.self == Bool.self,
            parse: { (texts) throws(SettingProblem) in try self.parse(texts) }
        )
    }
}

/// A setting without its type.
public struct AnySetting: Sendable {
    let name: String
    let placeholder: String
    let help: String
    let defaultText: String?
    let isList: Bool
    let isFlag: Bool
    let parse: @Sendable ([String]) throws(SettingProblem) -> any Sendable

    var environmentName: String { Self.environmentName(self.name) }

    static func environmentName(_ name: String) -> String {
        "BACKFILL_" + name.uppercased().replacing("-", with: "_")
    }
}

/// What is wrong with a value, without saying whose it is.
public struct SettingProblem: Error, Sendable, Equatable {
    /// Completes "NAME: ".
    public var message: String

    /// Makes a problem.
    public init(_ message: String) {
        self.message = message
    }
}

// MARK: - Kinds of values

extension SettingKey {
    /// A setting with one value.
    static func one(
        _ name: String,
        _ placeholder: String,
        _ help: String,
        default defaultText: String?,
        _ parse: @escaping @Sendable (String) throws(SettingProblem) -> Value
    ) -> SettingKey {
        SettingKey(
            name: name,
            placeholder: placeholder,
            help: help,
            defaultText: defaultText,
            isList: false,
            defaultValue: defaultText.flatMap { try? parse($0) },
            parse: { (texts) throws(SettingProblem) in try parse(texts.last ?? "") }
        )
    }

    /// A setting whose text the program reads itself.
    public static func value(
        _ name: String,
        _ placeholder: String,
        _ help: String,
        default defaultText: String?,
        _ parse: @escaping @Sendable (String) throws(SettingProblem) -> Value
    ) -> SettingKey {
        .one(name, placeholder, help, default: defaultText, parse)
    }

    /// A setting that may be given several times; none by default.
    public static func list<Element: Sendable>(
        _ name: String,
        _ placeholder: String,
        _ help: String,
        _ parse: @escaping @Sendable (String) throws(SettingProblem) -> Element
    ) -> SettingKey where Value == [Element] {
        SettingKey(
            name: name,
            placeholder: placeholder,
            help: help,
            defaultText: "",
            isList: true,
            defaultValue: [],
            parse: { (texts) throws(SettingProblem) in
                var values: [Element] = []
                for text in texts { values.append(try parse(text)) }
                return values
            }
        )
    }
}

extension SettingKey<String> {
    /// The name of a file; none by default.
    public static func file(_ name: String, _ help: String) -> Self {
        .one(name, "FILE", help, default: "") { (text) throws(SettingProblem) in
            guard !text.isEmpty else { throw SettingProblem("give the name of a file") }
            return text
        }
    }

    /// Text.
    public static func text(_ name: String, _ placeholder: String, _ help: String, default text: String?) -> Self {
        .one(name, placeholder, help, default: text) { $0 }
    }
}

extension SettingKey<Int> {
    /// A whole number within a range.
    public static func integer(
        _ name: String,
        _ help: String,
        default number: Int,
        in range: ClosedRange<Int>
    ) -> Self {
        .one(name, "N", help, default: String(number)) { (text) throws(SettingProblem) in
            guard let value = Int(text), range.contains(value) else {
                throw SettingProblem("give a whole number from \(range.lowerBound) to \(range.upperBound)")
            }
            return value
        }
    }
}

extension SettingKey<Bool> {
    /// A switch, off by default; as a flag it needs no value.
    public static func flag(_ name: String, _ help: String) -> Self {
        .one(name, "", help, default: "false") { (text) throws(SettingProblem) in
            switch text {
            case "true", "yes", "on", "1", "": true
            case "false", "no", "off", "0": false
            default: throw SettingProblem("give true or false")
            }
        }
    }
}

extension SettingKey<Duration> {
    /// A time such as `250ms`, `10s` or `5m`.
    public static func duration(
        _ name: String,
        _ help: String,
        default text: String,
        in range: ClosedRange<Duration>
    ) -> Self {
        .one(name, "TIME", help, default: text) { (text) throws(SettingProblem) in
            guard let value = Duration(parsing: text), range.contains(value) else {
                throw SettingProblem(
                    "give a time from \(range.lowerBound) to \(range.upperBound), such as 250ms, 10s or 5m"
                )
            }
            return value
        }
    }
}

extension SettingKey<ListenAddress> {
    /// A host and a port.
    public static func address(_ name: String, _ help: String, default text: String?) -> Self {
        .one(name, "HOST:PORT", help, default: text) { (text) throws(SettingProblem) in
            try ListenAddress(parsing: text)
        }
    }
}

extension Duration {
    /// Reads a number and a unit: `ms`, `s`, `m` or `h`.
    public init?(parsing text: String) {
        let units: [(String, Duration)] = [
            ("ms", .milliseconds(1)), ("s", .seconds(1)), ("m", .seconds(60)), ("h", .seconds(3_600)),
        ]
        for (suffix, unit) in units where text.hasSuffix(suffix) {
            guard let number = Double(text.dropLast(suffix.count)), number >= 0, number <= 1e9 else { return nil }
            self = unit * number
            return
        }
        return nil
    }
}
