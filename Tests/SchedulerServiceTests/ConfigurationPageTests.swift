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
}
