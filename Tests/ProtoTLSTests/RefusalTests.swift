import NIOCore
import NIOEmbedded
import ProtoTLS
import TLSTestSupport
import Testing

/// Certificates that must not be taken (T-26), and peers that do not speak TLS.
struct RefusalTests {
    let contexts: TestContexts

    init() throws {
        self.contexts = try TestContexts()
    }

    struct BadCertificate: Sendable, CustomTestStringConvertible {
        var name: String
        var refusal: TLSError.Code
        /// What the side with the certificate is told.
        var alert: TLSError.Code
        var testDescription: String { self.name }
    }

    static let bad = [
        BadCertificate(name: "expired", refusal: .certificateExpired, alert: .certificateExpired),
        BadCertificate(name: "future", refusal: .certificateNotYetValid, alert: .certificateRefused),
        BadCertificate(name: "alone", refusal: .certificateUntrusted, alert: .certificateUntrusted),
        BadCertificate(name: "other/scheduler", refusal: .certificateUntrusted, alert: .certificateUntrusted),
    ]

    @Test("T-26 a client refuses an expired, early, self-signed or another CA's certificate", arguments: bad)
    func server(bad: BadCertificate) throws {
        let pair = try TestPair(client: self.contexts.client(), server: self.contexts.server(bad.name))
        try pair.connect()
        #expect(pair.client.recorder.codes == [bad.refusal])
        #expect(pair.server.recorder.codes == [bad.alert])
        self.expectNothingPassed(pair)
    }

    @Test("T-26 a server refuses an expired, early, self-signed or another CA's certificate", arguments: bad)
    func client(bad: BadCertificate) throws {
        let pair = try TestPair(client: self.contexts.client(bad.name), server: self.contexts.server(mutual: true))
        pair.client.send([1, 2, 3])
        try pair.connect()
        #expect(pair.server.recorder.codes == [bad.refusal])
        // The client's side of a TLS 1.3 handshake is complete before the server has seen its certificate.
        #expect(pair.client.recorder.codes == [bad.alert])
        #expect(pair.server.recorder.received == [])
        #expect(pair.server.recorder.completions == [])
        #expect(!pair.client.channel.isActive && !pair.server.channel.isActive)
    }

    @Test("T-26 a client refuses another host's certificate", arguments: ["localhost", "127.0.0.1", "elsewhere.tes"])
    func wrongName(name: String) throws {
        let pair = try TestPair(
            client: self.contexts.client(),
            server: self.contexts.server("elsewhere"),
            serverName: name
        )
        try pair.connect()
        #expect(pair.client.recorder.codes == [.certificateNameMismatch])
        self.expectNothingPassed(pair)
    }

    @Test("T-26 a client refuses a certificate without the URI it expects, whatever its host")
    func wrongURI() throws {
        let pair = try TestPair(
            client: self.contexts.client(),
            server: self.contexts.server("gateway"),
            peerURI: "spiffe://backfill/scheduler"
        )
        pair.client.send([1])
        try pair.connect()
        #expect(pair.client.recorder.codes == [.certificateNameMismatch])
        self.expectNothingPassed(pair)
    }

    @Test("G6-10 a client may expect a URI alone")
    func uriAlone() throws {
        let pair = try TestPair(
            client: self.contexts.client(),
            server: self.contexts.server("elsewhere"),
            serverName: nil,
            peerURI: "spiffe://elsewhere/scheduler"
        )
        try pair.connect()
        #expect(pair.client.recorder.completions.count == 1)
        #expect(pair.server.recorder.completions.count == 1)
    }

    @Test("T-26 a server refuses a client without a certificate")
    func noCertificate() throws {
        let pair = try TestPair(client: self.contexts.client(), server: self.contexts.server(mutual: true))
        pair.client.send([1])
        try pair.connect()
        #expect(pair.server.recorder.codes == [.certificateMissing])
        #expect(pair.client.recorder.codes == [.certificateMissing])
        #expect(pair.server.recorder.received == [])
        #expect(pair.server.recorder.completions == [])
    }

    @Test("T-26 a revoked certificate is refused if a list is given", arguments: [true, false])
    func revoked(isChecked: Bool) throws {
        let list = self.contexts.certificates.path("crl.pem")
        let pair = try TestPair(
            client: self.contexts.client { if isChecked { $0.revocationLists = list } },
            server: self.contexts.server("revoked")
        )
        try pair.connect()
        #expect(pair.client.recorder.codes == (isChecked ? [.certificateRevoked] : []))
        #expect(pair.server.recorder.completions.isEmpty == isChecked)
    }

    @Test("T-26 with a revocation list the other certificates are taken")
    func notRevoked() throws {
        let list = self.contexts.certificates.path("crl.pem")
        let pair = try TestPair(
            client: self.contexts.client("gateway"),
            server: self.contexts.server(mutual: true) { $0.revocationLists = list }
        )
        try pair.connect()
        #expect(pair.server.recorder.completions.count == 1)
    }

    static let plaintexts = ["GET / HTTP/1.1\r\n\r\n", "\0\0\0\u{5}\0\0\0\u{1}\u{1}\0hello", "x"]

    @Test("T-26 a server takes no plaintext", arguments: plaintexts)
    func plaintextToServer(text: String) throws {
        let server = try Side(TLSHandler(context: self.contexts.server(), role: .server))
        try server.activate()
        try server.receive(Array(text.utf8))
        if text.utf8.count < 5 {
            // Too short to tell.
            #expect(server.recorder.codes == [])
            server.receiveEnd()
            #expect(server.recorder.codes == [.closed])
        } else {
            #expect(server.recorder.codes == [.notTLS])
            #expect(!server.channel.isActive)
        }
    }

    @Test("T-26 a client takes no plaintext")
    func plaintextToClient() throws {
        let client = try Side(TLSHandler(context: self.contexts.client(), role: .client, serverName: "localhost"))
        try client.activate()
        try client.receive(Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8))
        #expect(client.recorder.codes == [.notTLS])
        #expect(!client.channel.isActive)
    }

    @Test("T-26 a record that was changed on its way ends the connection")
    func changedRecord() throws {
        let pair = try TestPair(client: self.contexts.client(), server: self.contexts.server())
        try pair.connect()
        pair.client.send([1, 2, 3])
        var records = try pair.client.takeRecords()
        let last = try #require(records.indices.last)
        records[last] ^= 1
        try pair.server.receive(records)
        #expect(pair.server.recorder.codes == [.failed])
        #expect(pair.server.recorder.received == [])
        #expect(!pair.server.channel.isActive)
    }

    /// Neither side has seen a whole handshake, and both are closed.
    private func expectNothingPassed(_ pair: TestPair) {
        #expect(pair.client.recorder.completions == [])
        #expect(pair.server.recorder.completions == [])
        #expect(pair.server.recorder.received == [])
        #expect(!pair.client.channel.isActive && !pair.server.channel.isActive)
    }
}
