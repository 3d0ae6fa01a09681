import ArgumentParser
import Foundation
import GatewayAccess
import Settings

struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys",
        abstract: "Make API keys for a gateway.",
        subcommands: [CreateKeyCommand.self]
    )
}

struct CreateKeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Make a key, print it once, and the hashed entry for the gateway's --keys file.",
        discussion: "The key goes to standard output and the entry to standard error, unless --file is given."
    )

    @Option(help: "Whose objects the key opens.") var tenant: String
    @Option(help: "The key's name in logs.") var name: String
    @Option(help: "The one project of the tenant that it opens; default: all.") var project: String?
    @Option(help: "When it is refused from, such as 2027-01-31 or 2027-01-31T12:00:00Z.") var expires: String?
    @Option(help: "File of keys to add the entry to; made with mode 0600 if it is not there.") var file: String?

    func run() async throws {
        try await reporting {
            let key = APIKey.generate()
            let entry: KeyEntry
            do throws(SettingsError) {
                entry = try KeyEntry(
                    digest: KeyDigest(of: key),
                    name: self.name,
                    tenant: self.tenant,
                    project: self.project,
                    expires: self.expires
                )
            } catch {
                throw ToolError.input(error.message)
            }
            let yaml = entry.yaml(expires: self.expires)
            if let file = self.file {
                try KeyFile(path: file).append(yaml)
            } else {
                FileHandle.standardError.write(Data(("keys:\n" + yaml).utf8))
            }
            print(key)
            return 0
        }
    }
}

/// A gateway's file of keys, which is replaced as a whole: a gateway never reads half of it.
struct KeyFile {
    let path: String

    /// Adds an entry at the end.
    ///
    /// - Throws: what is wrong with the file or the entry; the file is as it was then.
    func append(_ entry: String) throws {
        var text = "keys:\n"
        var mode = 0o600
        if FileManager.default.fileExists(atPath: self.path) {
            guard let found = try? String(contentsOfFile: self.path, encoding: .utf8) else {
                throw ToolError.input("cannot read \(self.path)")
            }
            text = found.hasSuffix("\n") ? found : found + "\n"
            let attributes = try? FileManager.default.attributesOfItem(atPath: self.path)
            mode = (attributes?[.posixPermissions] as? Int) ?? mode
        }
        text += entry
        do throws(SettingsError) {
            _ = try KeyTable(text, path: self.path)
        } catch {
            throw ToolError.input("the entry cannot be added: \(error.message)")
        }
        let new = self.path + ".new"
        let attributes: [FileAttributeKey: Any] = [.posixPermissions: mode]
        guard FileManager.default.createFile(atPath: new, contents: Data(text.utf8), attributes: attributes),
            rename(new, self.path) == 0
        else { throw ToolError.input("cannot write \(self.path)") }
    }
}
