import Foundation
public import ProtoTLS
public import TestSupport

/// Certificates of every kind that is good or bad, made once for all tests: the good ones by `deploy/certificates.sh`, the
/// others by `openssl ca` under the same authority.
public struct TestCertificates: Sendable {
    /// Those of all tests of a process.
    public static let shared = Result { try TestCertificates() }

    private static let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("deploy/certificates.sh").path

    /// Where they are.
    public let directory: TemporaryDirectory

    /// Good: `scheduler`, `gateway`, `service-example`. Bad: `expired`, `future`, `elsewhere` (another host's), `alone`
    /// (self-signed), `weak` (RSA of 1,024 bits), `revoked` (named by `crl.pem`), `odd` (a NUL in a name). `other/` holds
    /// another authority and its `scheduler`. `below` is by the authority `between`, which is by `root`;
    /// `root-and-between.pem` has these two.
    private init() throws {
        self.directory = try TemporaryDirectory()
        try self.run([Self.script, self.directory.path, "scheduler", "gateway", "service/example"])
        try self.run([Self.script, self.directory.path + "/other", "scheduler"])
        try self.write("ca.cnf", Self.configuration)
        try self.write("index.txt", "")
        try self.write("crlnumber", "01\n")
        try self.issue("expired", extra: ["-startdate", "20200101000000Z", "-enddate", "20200201000000Z"])
        try self.issue("future", extra: ["-startdate", "20900101000000Z", "-enddate", "20910101000000Z"])
        try self.issue("elsewhere", names: "DNS:elsewhere.test,URI:spiffe://elsewhere/scheduler")
        try self.issue("weak", key: ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"])
        try self.issue("revoked")
        try self.issue("odd", names: "DNS:localhost,URI:spiffe://backfill/gateway evil")
        try self.issueSelfSigned("alone")
        try self.issueBelow()
        try self.openssl("ca", "-config", "ca.cnf", "-revoke", "revoked.pem")
        try self.openssl("ca", "-config", "ca.cnf", "-gencrl", "-out", "crl.pem")
        try self.openssl("ec", "-in", "gateway.key", "-aes256", "-passout", "pass:secret", "-out", "locked.key")
    }

    /// The path of a file.
    public func path(_ name: String) -> String {
        "\(self.directory.path)/\(name)"
    }

    /// A certificate and its key.
    public func identity(_ name: String) -> TLSConfiguration.Identity {
        TLSConfiguration.Identity(chain: self.path("\(name).pem"), key: self.path("\(name).key"))
    }

    /// The authority.
    public var trust: TLSConfiguration.Trust {
        .file(self.path("ca.pem"))
    }

    // MARK: - Making them

    private func issue(
        _ name: String,
        names: String = "DNS:localhost,IP:127.0.0.1,URI:spiffe://backfill/scheduler",
        key: [String] = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        extra: [String] = []
    ) throws {
        try self.makeRequest(name, key: key)
        try self.write("\(name).ext", "basicConstraints=CA:false\nsubjectAltName=\(names)\n")
        let arguments = ["ca", "-batch", "-config", "ca.cnf", "-notext", "-in", "\(name).csr", "-out", "\(name).pem"]
        try self.openssl(arguments + ["-extfile", "\(name).ext"] + (extra.isEmpty ? ["-days", "30"] : extra))
    }

    private func issueSelfSigned(_ name: String, extensions: String = "basicConstraints=CA:false\n") throws {
        try self.makeRequest(name, key: ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"])
        try self.write("\(name).ext", extensions)
        try self.openssl(
            ["x509", "-req", "-in", "\(name).csr", "-key", "\(name).key", "-out", "\(name).pem", "-days", "30"]
                + ["-extfile", "\(name).ext"]
        )
    }

    private func issueBelow() throws {
        try self.issueSelfSigned("root", extensions: "basicConstraints=critical,CA:true\n")
        try self.issue("between", by: "root", extensions: "basicConstraints=critical,CA:true\n")
        try self.issue(
            "below",
            by: "between",
            extensions: "subjectAltName=DNS:localhost,URI:spiffe://backfill/scheduler\n"
        )
        let both = try ["between", "root"].map { try String(contentsOfFile: self.path("\($0).pem"), encoding: .utf8) }
        try self.write("root-and-between.pem", both.joined())
    }

    private func issue(_ name: String, by authority: String, extensions: String) throws {
        try self.makeRequest(name, key: ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"])
        try self.write("\(name).ext", extensions)
        try self.openssl(
            ["x509", "-req", "-in", "\(name).csr", "-CA", "\(authority).pem", "-CAkey", "\(authority).key"]
                + ["-CAcreateserial", "-out", "\(name).pem", "-days", "30", "-extfile", "\(name).ext"]
        )
    }

    private func makeRequest(_ name: String, key: [String]) throws {
        try self.openssl(["genpkey"] + key + ["-out", "\(name).key"])
        try self.openssl("req", "-new", "-key", "\(name).key", "-subj", "/CN=\(name)", "-out", "\(name).csr")
    }

    private func write(_ name: String, _ text: String) throws {
        try text.write(toFile: self.path(name), atomically: true, encoding: .utf8)
    }

    private func openssl(_ arguments: String...) throws {
        try self.openssl(arguments)
    }

    private func openssl(_ arguments: [String]) throws {
        try self.run(["openssl"] + arguments)
    }

    private func run(_ command: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.currentDirectoryURL = URL(fileURLWithPath: self.directory.path)
        process.environment = ProcessInfo.processInfo.environment.merging(["HOSTS": "localhost 127.0.0.1"]) { $1 }
        let errors = Pipe()
        process.standardError = errors
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        let text = try errors.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        struct CommandFailed: Error { var command: [String], output: String }
        guard process.terminationStatus == 0 else {
            throw CommandFailed(command: command, output: String(decoding: text, as: UTF8.self))
        }
    }

    private static let configuration = """
        [ca]
        default_ca = development
        [development]
        dir = .
        database = index.txt
        new_certs_dir = .
        certificate = ca.pem
        private_key = ca.key
        rand_serial = yes
        crlnumber = crlnumber
        default_md = sha256
        default_crl_days = 30
        unique_subject = no
        email_in_dn = no
        policy = any
        [any]
        commonName = supplied
        """
}
