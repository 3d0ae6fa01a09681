import EngineSimulator
import Foundation
import GatewayServer
import SchedulerService
import Settings
import Testing

struct ConfigurationPageTests {
    @Test func thePageNamesEverySettingAsItIs() throws {
        let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("docs/configuration.md")
        let text = try String(contentsOf: page, encoding: .utf8)
        for schema in [SchedulerSettings.schema, GatewaySettings.schema, SimulatorSettings.schema] {
            let section = "## \(schema.program)\n\n\(schema.markdownTable)"
            #expect(text.contains(section), "docs/configuration.md lacks:\n\(section)")
        }
    }

    /// One environment may hold the settings of all programs.
    @Test func everyProgramPassesOverTheVariablesOfTheOthers() throws {
        let schemas = [SchedulerSettings.schema, GatewaySettings.schema, SimulatorSettings.schema]
        let names = Set(schemas.flatMap { Self.variables(of: $0) })
        #expect(names.count > 30)
        for schema in schemas {
            for name in names.subtracting(Self.variables(of: schema)) {
                #expect(throws: Never.self, "\(schema.program) refuses \(name)") {
                    _ = try schema.read(arguments: [], environment: [name: "1"]) { (_) throws(SettingsError) in "" }
                }
            }
        }
    }

    private static func variables(of schema: SettingsSchema) -> [String] {
        schema.markdownTable.split(separator: "`").filter { $0.hasPrefix("BACKFILL_") }.map(String.init)
    }
}
