import Foundation
import Logging
import ProtoTLS
import ServiceLifecycle
import TLSTestSupport
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct ReloaderTests {
    @Test("G6-10 changed files are taken while a program runs, and broken ones are said")
    func changes() async throws {
        let certificates = try TestCertificates.shared.get()
        let directory = try TemporaryDirectory()
        let identity = TLSConfiguration.Identity(chain: directory.path + "/a.pem", key: directory.path + "/a.key")
        func replace(with name: String) throws {
            let new = certificates.identity(name)
            for (from, to) in [(new.key, identity.key), (new.chain, identity.chain)] {
                let data = try Data(contentsOf: URL(fileURLWithPath: from))
                try data.write(to: URL(fileURLWithPath: to), options: .atomic)
            }
        }
        try replace(with: "scheduler")
        let source = try TLSContextSource(.server(identity: identity))
        let before = source.current
        let (outcomes, sink) = AsyncStream.makeStream(of: TLSContextSource.Outcome.self)
        let reloader = TLSReloader(
            sources: [source],
            interval: .milliseconds(1),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ) { sink.yield($0) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await reloader.run() }
            var seen = outcomes.makeAsyncIterator()
            try Data("nothing".utf8).write(to: URL(fileURLWithPath: identity.chain), options: .atomic)
            guard case .kept(let error) = await seen.next() else {
                Issue.record("a broken file was taken")
                return
            }
            #expect(error.code == .malformedFile)
            #expect(source.current === before)
            try replace(with: "gateway")
            // The two files are two changes; a look between them finds a key without its certificate.
            while let outcome = await seen.next(), outcome != .reloaded {}
            #expect(source.current !== before)
            group.cancelAll()
        }
    }
}
