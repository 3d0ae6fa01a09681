import GatewayAPI
import GatewayAccess
import Settings
import Testing

/// Files of API keys, and who a request is from.
struct KeyTableTests {
    static let key = "sk-bf-one"
    static let digest = KeyDigest(of: key).text
    static let now: Int64 = 1_800_000_000

    private func table(_ text: String) throws -> KeyTable {
        try KeyTable(text, path: "keys.yaml")
    }

    private func table(_ fields: [String]) throws -> KeyTable {
        try self.table("keys:\n  - " + fields.joined(separator: "\n    ") + "\n")
    }

    private func refusal(_ text: String) -> String {
        do {
            _ = try self.table(text)
            return "accepted"
        } catch {
            return (error as? SettingsError)?.message ?? "\(error)"
        }
    }

    private func caller(
        _ table: KeyTable,
        _ credentials: Credentials,
        at time: Int64 = Self.now
    ) -> Result<Caller, APIError> {
        Result { () throws(APIError) in try table.caller(credentials, at: time) }
    }

    private func code(_ result: Result<Caller, APIError>) -> String? {
        guard case .failure(let error) = result else { return nil }
        return error.status == 401 ? error.code : "status \(error.status)"
    }

    // MARK: - Files

    @Test func aKeyIsKnownByItsHash() throws {
        let table = try self.table(["key: \(Self.digest)", "name: ci", "tenant: acme", "project: search"])
        let caller = self.caller(table, Credentials(authorization: "Bearer \(Self.key)"))
        #expect(try caller.get() == Caller(tenant: "acme", project: "search", keyName: "ci"))
    }

    @Test func hashesAreThoseOfOtherTools() {
        // printf sk-bf-one | sha256sum
        #expect(Self.digest == "sha256:83457be5b342b264f4bd6fd7df9d3db9c416d6fe8af4a3c4a8e5fa646bfe9c5c")
        #expect(KeyDigest(Self.digest)?.text == Self.digest)
    }

    /// An entry in one line.
    static func entry(_ fields: String) -> String { "  - {\(fields)}\n" }
    static let whole = "key: \"\(digest)\", name: a, tenant: b"

    @Test(arguments: [
        ("", ": there is no key; make one with `backfill keys create`"),
        ("keys: []\n", ": there is no key; make one with `backfill keys create`"),
        ("key: []\n", ":1: unknown key key; did you mean keys?"),
        ("keys: 1\n", ":1: 'keys' takes a list"),
        ("keys:\n  - 1\n", ":2: give `name: value` pairs here"),
        ("keys:\n  - key: \(digest)\n    tenent: b\n", ":3: unknown key tenent; did you mean tenant?"),
        ("keys:\n" + entry("key: \"\(digest)\", name: a"), ":2: 'tenant' is missing"),
        (
            "keys:\n" + entry("key: \"\(digest)\", name: a b, tenant: b"),
            ":2: 'name' takes 1 to 64 letters, digits, '.', '-' and '_'"
        ),
        ("keys:\n" + entry("key: \"\(digest)\", name: [a], tenant: b"), ":2: 'name' takes one value"),
        (
            "keys:\n" + entry(whole + ", expires: soon"),
            ":2: 'expires' takes a time such as 2027-01-31T12:00:00Z or a day such as 2027-01-31, in UTC"
        ),
        ("keys:\n" + entry(whole + ", name: c"), ":2: a key is given twice in this mapping"),
        ("keys:\n" + entry(whole) + entry(whole), ":3: 'key' is another entry's as well"),
    ])
    func whatIsWrongIsToldWithItsLine(text: String, refusal: String) {
        #expect(self.refusal(text) == "keys.yaml" + refusal)
    }

    @Test func aKeyInTheClearIsRefusedAndNotShown() {
        for text in [
            "keys:\n  - key: sk-bf-secret\n    name: a\n    tenant: b\n", "keys:\n  - key: \"sk-bf-secret\n",
            "keys: sk-bf-secret\n", "sk-bf-secret\n", "keys: {sk-bf-secret: 1, sk-bf-secret: 2}\n",
        ] {
            let refusal = self.refusal(text)
            #expect(refusal != "accepted")
            #expect(!refusal.contains("sk-bf-secret"), "\(refusal)")
        }
    }

    @Test func twoKeysOfATenantHaveDifferentNames() {
        let other = KeyDigest(of: "sk-bf-two").text
        func file(_ tenant: String) -> String {
            "keys:\n" + Self.entry(Self.whole) + Self.entry("key: \"\(other)\", name: a, tenant: \(tenant)")
        }
        #expect(self.refusal(file("b")) == "keys.yaml:3: 'name' is that of another key of the tenant")
        #expect(self.refusal(file("c")) == "accepted")
    }

    // MARK: - Requests

    @Test(arguments: [
        nil, "", "Bearer", "Bearer ", "Basic sk-bf-one", "sk-bf-one", "Bearer sk-bf-one more", "Bearer sk-bf-On",
        "Bearer sk-bf-on", "Bearer sk-bf-onee", "Bearer " + String(repeating: "a", count: 100_000),
    ])
    func whatIsNotTheKeyIsRefused(authorization: String?) throws {
        let table = try self.table(["key: \(Self.digest)", "name: ci", "tenant: acme"])
        #expect(self.code(self.caller(table, Credentials(authorization: authorization))) == "invalid_api_key")
    }

    @Test func noKeyAndAWrongOneAreWordedDifferently() throws {
        let table = try self.table(["key: \(Self.digest)", "name: ci", "tenant: acme"])
        guard case .failure(let none) = self.caller(table, Credentials()),
            case .failure(let wrong) = self.caller(table, Credentials(authorization: "Bearer sk-bf-two"))
        else {
            Issue.record("accepted")
            return
        }
        #expect(none.message.contains("did not provide"))
        #expect(wrong.message == "Incorrect API key provided.")
        #expect(wrong.headers.contains { $0.name == "www-authenticate" && $0.value == "Bearer" })
    }

    @Test func aKeyIsRefusedFromTheSecondOnInWhichItExpires() throws {
        for (text, end) in [("2027-01-15T08:00:00Z", Self.now), ("2027-01-15", Self.now - 8 * 3_600)] {
            let table = try self.table(["key: \(Self.digest)", "name: a", "tenant: b", "expires: \(text)"])
            let credentials = Credentials(authorization: "bearer  \(Self.key)")
            #expect(self.code(self.caller(table, credentials, at: end - 1)) == nil)
            #expect(self.code(self.caller(table, credentials, at: end)) == "invalid_api_key")
        }
    }

    @Test func headersOfOrganizationAndProjectAreTheKeysOwn() throws {
        let bound = try self.table(["key: \(Self.digest)", "name: a", "tenant: acme", "project: search"])
        let free = try self.table(["key: \(Self.digest)", "name: a", "tenant: acme"])
        func send(_ table: KeyTable, organization: String? = nil, project: String? = nil) -> Result<Caller, APIError> {
            let authorization = "Bearer \(Self.key)"
            return self.caller(
                table,
                Credentials(authorization: authorization, organization: organization, project: project)
            )
        }
        #expect(try send(bound, organization: "acme", project: "search").get().project == "search")
        #expect(self.code(send(bound, organization: "other")) == "mismatched_organization")
        #expect(self.code(send(bound, project: "ads")) == "mismatched_project")
        #expect(try send(free, project: "ads").get().project == "ads")
        #expect(try send(free).get().project == nil)
        #expect(self.code(send(free, project: "a b")) == "mismatched_project")
    }

    // MARK: - New keys

    @Test func newKeysDifferAndTheirEntriesCanBeRead() throws {
        let keys = Set((0..<100).map { _ in APIKey.generate() })
        #expect(keys.count == 100)
        let key = try #require(keys.first)
        #expect(key.hasPrefix("sk-bf-") && key.utf8.count == 49)
        let (digest, day) = (KeyDigest(of: key), "2030-01-01")
        let entry = try KeyEntry(digest: digest, name: "a", tenant: "b", project: "c", expires: day)
        let table = try self.table("keys:\n" + entry.yaml(expires: day))
        let caller = self.caller(table, Credentials(authorization: "Bearer \(key)"))
        #expect(try caller.get() == Caller(tenant: "b", project: "c", keyName: "a"))
    }
}
