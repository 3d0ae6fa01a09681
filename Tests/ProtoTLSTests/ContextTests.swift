import Foundation
import NIOCore
import NIOEmbedded
import Synchronization
import TLSTestSupport
import TestSupport
import Testing

@testable import ProtoTLS

/// What is refused when the files are read, and what a change of the files does.
struct ContextTests {
    let contexts: TestContexts
    var certificates: TestCertificates { self.contexts.certificates }

    init() throws {
        self.contexts = try TestContexts()
    }

    private func error(_ configuration: TLSConfiguration) -> TLSError? {
        do throws(TLSError) {
            _ = try TLSContext(configuration)
            return nil
        } catch {
            return error
        }
    }

    @Test("G6-10 a file that is missing is named", arguments: ["chain", "key", "trust", "lists"])
    func missing(which: String) throws {
        var configuration = TLSConfiguration.server(
            identity: self.certificates.identity("scheduler"),
            clientTrust: self.certificates.trust
        )
        switch which {
        case "chain": configuration.identity?.chain = "/nowhere/chain"
        case "key": configuration.identity?.key = "/nowhere/key"
        case "trust": configuration.trust = .file("/nowhere/trust")
        default: configuration.revocationLists = "/nowhere/lists"
        }
        let error = try #require(self.error(configuration))
        #expect(error.code == .missingFile)
        #expect(error.message.contains("/nowhere/\(which)"))
    }

    @Test("G6-10 a file that is no PEM is named", arguments: ["chain", "key", "trust", "lists"])
    func malformed(which: String) throws {
        let path = self.certificates.path("ca.cnf")
        var configuration = TLSConfiguration.server(
            identity: self.certificates.identity("scheduler"),
            clientTrust: self.certificates.trust
        )
        switch which {
        case "chain": configuration.identity?.chain = path
        case "key": configuration.identity?.key = path
        case "trust": configuration.trust = .file(path)
        default: configuration.revocationLists = path
        }
        let error = try #require(self.error(configuration))
        #expect(error.code == .malformedFile)
        #expect(error.message.contains(path))
    }

    @Test("G6-10 the key of another certificate is refused, and both files are named", arguments: ["gateway", "weak"])
    func mismatch(other: String) throws {
        var identity = self.certificates.identity("scheduler")
        identity.key = self.certificates.path("\(other).key")
        let error = try #require(self.error(.server(identity: identity)))
        #expect(error.code == .mismatchedKey)
        #expect(error.message.contains(identity.key) && error.message.contains(identity.chain))
    }

    @Test("T-26 a weak key is refused")
    func weak() throws {
        let error = try #require(self.error(.server(identity: self.certificates.identity("weak"))))
        #expect(error.code == .weakKey)
        #expect(error.message.contains("key too small"))
    }

    @Test("G6-10 an encrypted key is refused without asking for a password")
    func encryptedKey() throws {
        var identity = self.certificates.identity("gateway")
        identity.key = self.certificates.path("locked.key")
        let error = try #require(self.error(.server(identity: identity)))
        #expect(error.code == .malformedFile)
        #expect(error.message.contains("locked.key"))
    }

    @Test("G6-10 a configuration that contradicts itself is refused before any file is read")
    func contradictions() {
        let identity = TLSConfiguration.Identity(chain: "/nowhere", key: "/nowhere")
        var mutual = TLSConfiguration.server(identity: identity)
        mutual.clientCertificates = .required
        var long = TLSConfiguration.server(identity: identity)
        long.applicationProtocols = [String(repeating: "x", count: 256)]
        var empty = long
        empty.applicationProtocols = [""]
        let cases = [
            TLSConfiguration(roles: []), .init(roles: [.server]), .init(roles: [.client]), mutual, long, empty,
        ]
        for configuration in cases {
            #expect(self.error(configuration)?.code == .configuration)
        }
    }

    @Test("G6-10 changed files serve new connections; those that exist go on")
    func reload() throws {
        let files = try self.copy("scheduler")
        let source = try TLSContextSource(.server(identity: files.identity))
        #expect(source.reloadIfChanged() == .unchanged)
        let before = try TestPair(client: self.contexts.client(), server: source.current)
        try before.connect()

        try files.replace(with: "gateway")
        #expect(source.reloadIfChanged() == .reloaded)
        #expect(source.reloadIfChanged() == .unchanged)
        let after = try TestPair(client: self.contexts.client(), server: source.current)
        try after.connect()
        #expect(before.client.handler.peer?.certificate?.uris == ["spiffe://backfill/scheduler"])
        #expect(after.client.handler.peer?.certificate?.uris == ["spiffe://backfill/gateway"])
        before.client.send([1])
        try before.carry()
        #expect(before.server.recorder.received == [1])
    }

    @Test("G6-10 broken files leave the old context, which is said once a change")
    func brokenReload() throws {
        let files = try self.copy("scheduler")
        let source = try TLSContextSource(.server(identity: files.identity))
        // Half of a change: the certificate is there before its key.
        try files.replace(with: "gateway", key: false)
        guard case .kept(let error) = source.reloadIfChanged() else {
            Issue.record("the broken files were taken")
            return
        }
        #expect(error.code == .mismatchedKey)
        #expect(source.reloadIfChanged() == .unchanged)
        let pair = try TestPair(client: self.contexts.client(), server: source.current)
        try pair.connect()
        #expect(pair.client.handler.peer?.certificate?.uris == ["spiffe://backfill/scheduler"])

        try files.replace(with: "gateway")
        #expect(source.reloadIfChanged() == .reloaded)
        try FileManager.default.removeItem(atPath: files.identity.chain)
        guard case .kept(let missing) = source.reloadIfChanged() else {
            Issue.record("a missing file was taken")
            return
        }
        #expect(missing.code == .missingFile)
    }

    @Test("G6-10 files that cannot be loaded now, such as without a free descriptor, are taken when they can be")
    func passingFailure() throws {
        let files = try self.copy("scheduler")
        let failure = Mutex(TLSError?.none)
        let source = try TLSContextSource(.server(identity: files.identity)) { (files) throws(TLSError) in
            if let failure = failure.withLock({ $0 }) { throw failure }
            return try TLSContext(files)
        }
        let first = source.current
        let (full, other) = (TLSError(code: .failed, message: "full"), TLSError(code: .failed, message: "other"))
        failure.withLock { $0 = full }
        #expect(source.reloadIfChanged() == .unchanged)
        try files.replace(with: "gateway")
        #expect(source.reloadIfChanged() == .kept(full))
        #expect(source.reloadIfChanged() == .unchanged, "it is said already")
        failure.withLock { $0 = other }
        #expect(source.reloadIfChanged() == .kept(other))
        #expect(source.current === first)
        failure.withLock { $0 = nil }
        #expect(source.reloadIfChanged() == .reloaded)
        #expect(source.current !== first)
        #expect(source.reloadIfChanged() == .unchanged)
    }

    /// A certificate and a key that a test may replace.
    private struct Files {
        let directory: TemporaryDirectory
        let certificates: TestCertificates

        var identity: TLSConfiguration.Identity {
            .init(chain: self.directory.path + "/tls.pem", key: self.directory.path + "/tls.key")
        }

        /// By a rename, as tools that renew certificates do it.
        func replace(with name: String, key: Bool = true) throws {
            let new = self.certificates.identity(name)
            try self.replace(self.identity.chain, with: new.chain)
            if key { try self.replace(self.identity.key, with: new.key) }
        }

        private func replace(_ path: String, with other: String) throws {
            try FileManager.default.copyItem(atPath: other, toPath: path + ".new")
            guard rename(path + ".new", path) == 0 else { throw CocoaError(.fileWriteUnknown) }
        }
    }

    private func copy(_ name: String) throws -> Files {
        let files = try Files(directory: TemporaryDirectory(), certificates: self.certificates)
        try files.replace(with: name)
        return files
    }
}
