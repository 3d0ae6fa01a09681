import Settings
import Testing

struct SettingsTests {
    static let count = SettingKey<Int>.integer("engine-concurrency", "how many", default: 5, in: 1...10)
    static let name = SettingKey<String>.text("data", "DIR", "where", default: nil)
    static let many = SettingKey<[String]>.list("engine", "URL", "which") { $0 }
    static let pause = SettingKey<Duration>.duration("pause", "how long", default: "1s", in: .zero ... .seconds(60))
    static let loud = SettingKey<Bool>.flag("loud", "whether")
    static let schema = SettingsSchema(
        program: "test",
        summary: "tests",
        version: "1",
        settings: [count.erased, name.erased, many.erased, pause.erased, loud.erased]
    )

    private func read(
        _ arguments: [String] = [],
        _ environment: [String: String] = [:],
        file: String = ""
    ) throws -> SettingsValues {
        try Self.schema.read(
            arguments: arguments + (file.isEmpty ? [] : ["--config", "f.yaml"]),
            environment: environment,
            readFile: { _ in file }
        )
    }

    private func refusal(_ arguments: [String] = [], _ environment: [String: String] = [:], file: String = "") -> String
    {
        do {
            _ = try self.read(arguments, environment, file: file)
            return "accepted"
        } catch SettingsError.refused(let text) {
            return text
        } catch {
            return "\(error)"
        }
    }

    @Test func flagsWinOverEnvironmentOverFileOverDefaults() throws {
        let file = "engine_concurrency: 2"
        let environment = ["BACKFILL_ENGINE_CONCURRENCY": "3"]
        #expect(try self.read()[Self.count] == 5)
        #expect(try self.read(file: file)[Self.count] == 2)
        #expect(try self.read([], environment, file: file)[Self.count] == 3)
        #expect(try self.read(["--engine-concurrency=4"], environment, file: file)[Self.count] == 4)
    }

    @Test func listsComeFromRepeatedFlagsCommasAndSequences() throws {
        #expect(try self.read(["--engine", "a", "--engine=b"])[Self.many] == ["a", "b"])
        #expect(try self.read([], ["BACKFILL_ENGINE": "a,b"])[Self.many] == ["a", "b"])
        #expect(try self.read(file: "engine: [a, b]")[Self.many] == ["a", "b"])
        #expect(try self.read(file: "engine: a")[Self.many] == ["a"])
        #expect(try self.read()[Self.many] == [])
    }

    @Test func unknownNamesAreRefusedWithASuggestion() {
        #expect(
            self.refusal(["--engin-concurrency", "1"])
                == "unknown flag --engin-concurrency; did you mean --engine-concurrency?"
        )
        #expect(
            self.refusal([], ["BACKFILL_DTA": "x"])
                == "unknown environment variable BACKFILL_DTA; did you mean BACKFILL_DATA?"
        )
        #expect(
            self.refusal(file: "\nengine_concurency: 2")
                == "f.yaml:2: unknown key engine_concurency; did you mean engine_concurrency?"
        )
        // Another program's variable is none of ours.
        #expect(self.refusal([], ["BACKFILL_SCHEDULER": "x"]) == "accepted")
    }

    @Test func wrongValuesSayWhatIsAllowed() {
        #expect(
            self.refusal(["--engine-concurrency", "11"]) == "--engine-concurrency: give a whole number from 1 to 10"
        )
        #expect(self.refusal([], ["BACKFILL_PAUSE": "soon"]).hasPrefix("BACKFILL_PAUSE: give a time"))
        #expect(self.refusal(file: "engine_concurrency: [1, 2]") == "f.yaml:1: engine-concurrency takes one value")
        #expect(self.refusal(file: "- a") == "f.yaml: give settings as `name: value`")
        #expect(self.refusal(file: "data: {a: b}") == "f.yaml:1: data takes one value")
        #expect(self.refusal(file: "data: a\ndata: b").contains("data"))
        #expect(self.refusal(["--data"]) == "--data needs a value")
        #expect(self.refusal(["--data", "a", "--data", "b"]) == "--data is given more than once")
        #expect(self.refusal(["data"]).hasPrefix("unexpected argument"))
    }

    @Test func aRequiredSettingIsAskedFor() throws {
        let values = try self.read()
        #expect(throws: SettingsError.refused("--data DIR is required: where")) { _ = try values.required(Self.name) }
    }

    @Test func switchesNeedNoValue() throws {
        #expect(try self.read(["--loud"])[Self.loud] == true)
        #expect(try self.read()[Self.loud] == false)
        #expect(try self.read(file: "loud: true")[Self.loud] == true)
    }

    @Test(arguments: [
        ("250ms", Duration.milliseconds(250)), ("0s", .zero), ("1m", .seconds(60)), ("0.5s", .milliseconds(500)),
    ])
    func timesAreRead(_ text: String, _ time: Duration) throws {
        #expect(try self.read(["--pause", text])[Self.pause] == time)
    }

    @Test(arguments: [
        ("127.0.0.1:0", "127.0.0.1", 0), ("[::1]:80", "::1", 80), ("localhost:65535", "localhost", 65_535),
    ])
    func addressesAreRead(_ text: String, _ host: String, _ port: Int) throws {
        let address = try ListenAddress(parsing: text)
        #expect(address == ListenAddress(host: host, port: port))
        #expect(address.description == text)
        #expect(address.isLoopback)
    }

    @Test(arguments: ["127.example.com:1", "127.0.0.1.example.com:1", "127.1:1", "0.0.0.0:1", "[::]:1", "10.0.0.1:1"])
    func addressesThatOtherMachinesReachAreNoLoopback(text: String) throws {
        #expect(try !ListenAddress(parsing: text).isLoopback)
    }

    @Test(arguments: ["", ":80", "host", "host:", "host:x", "host:65536", "::1:80", "ho st:1", "host:-1"])
    func brokenAddressesAreRefused(_ text: String) {
        #expect(throws: SettingProblem.self) { _ = try ListenAddress(parsing: text) }
    }
}
