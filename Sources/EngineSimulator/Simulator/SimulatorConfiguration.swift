public import Settings

/// How a simulated engine behaves.
public struct SimulatorConfiguration: Sendable {
    /// Where to listen; port 0 picks a free one.
    public var listen = ListenAddress(host: "127.0.0.1", port: 0)
    /// Models it serves.
    public var models = ["simulated-model"]
    /// From the request to the first token.
    public var timeToFirstToken = Duration.zero
    /// From one token to the next.
    public var timePerToken = Duration.zero
    /// Requests that run at the same time; others wait in order.
    public var slots = 256
    /// File that gets a line for each request that ran; nil: none.
    public var witness: String?

    /// An instant engine.
    public init() {}
}

/// The settings of `backfill-engine-simulator`.
public enum SimulatorSettings {
    static let listen = SettingKey<ListenAddress>.address(
        "listen",
        "where to serve HTTP; port 0 picks a free one",
        default: "127.0.0.1:8000"
    )
    static let model = SettingKey<[String]>.list("model", "NAME", "a model it serves; default simulated-model") { $0 }
    static let witness = SettingKey<String>.text(
        "witness",
        "FILE",
        "gets a line for each request that ran",
        default: ""
    )
    static let firstToken = SettingKey<Duration>.duration(
        "time-to-first-token",
        "from the request to the first token",
        default: "0ms",
        in: .zero ... .seconds(3_600)
    )
    static let perToken = SettingKey<Duration>.duration(
        "time-per-token",
        "from one token to the next",
        default: "0ms",
        in: .zero ... .seconds(60)
    )
    static let slots = SettingKey<Int>.integer(
        "slots",
        "requests that run at the same time; others wait in order",
        default: 256,
        in: 1...65_536
    )

    /// All of them.
    public static let schema = SettingsSchema(
        program: "backfill-engine-simulator",
        summary: "an OpenAI-compatible engine without a model",
        version: "0.1.0",
        settings: [
            SimulatorSettings.listen.erased, SimulatorSettings.model.erased, SimulatorSettings.witness.erased,
            SimulatorSettings.firstToken.erased, SimulatorSettings.perToken.erased, SimulatorSettings.slots.erased,
            ProgramStart.logLevel.erased,
        ]
    )
}

extension SimulatorConfiguration {
    /// Takes the settings that were read.
    public init(_ values: SettingsValues) throws(SettingsError) {
        self.init()
        self.listen = try values.required(SimulatorSettings.listen)
        if let models = values[SimulatorSettings.model], !models.isEmpty { self.models = models }
        self.witness = values[SimulatorSettings.witness].flatMap { $0.isEmpty ? nil : $0 }
        self.timeToFirstToken = try values.required(SimulatorSettings.firstToken)
        self.timePerToken = try values.required(SimulatorSettings.perToken)
        self.slots = try values.required(SimulatorSettings.slots)
    }
}
