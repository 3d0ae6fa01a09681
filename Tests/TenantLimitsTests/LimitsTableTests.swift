import Settings
import TenantLimits
import Testing

/// Files of limits.
struct LimitsTableTests {
    private func refusal(_ text: String) -> String {
        do {
            _ = try LimitsTable(text, path: "limits.yaml")
            return "accepted"
        } catch {
            return error.message
        }
    }

    @Test func tenantsHaveLimitsOfTheirOwnOrOfAGroup() throws {
        let table = try LimitsTable(
            """
            groups:
              standard: {requests_per_minute: 600, batches_per_hour: 2000}
            tenants:
              finance: standard
              reports:
                tokens_per_minute: 1
                concurrent_requests: 2
                stored_bytes: 3
                enqueued_requests: 4
                enqueued_tokens: 5
            default: {requests_per_minute: 0}
            """,
            path: "limits.yaml"
        )
        #expect(table["finance"].requestsPerMinute == 600)
        #expect(table["finance"].batchesPerHour == 2_000)
        #expect(table["finance"].tokensPerMinute == nil)
        var reports = TenantLimits()
        reports.tokensPerMinute = 1
        reports.concurrentRequests = 2
        reports.storedBytes = 3
        reports.enqueuedRequests = 4
        reports.enqueuedTokens = 5
        #expect(table["reports"] == reports)
        #expect(table["nobody"].requestsPerMinute == 0)
    }

    @Test func withoutADefaultOthersHaveNoLimits() throws {
        let table = try LimitsTable("tenants: {a: {batches_per_hour: 1}}", path: "limits.yaml")
        #expect(table["b"] == TenantLimits())
        #expect(LimitsTable()["a"] == TenantLimits())
    }

    @Test(arguments: [
        ("", ": there is nothing in it"),
        ("group: {}", ":1: unknown key group; did you mean groups?"),
        (
            "tenants:\n  a: {request_per_minute: 1}",
            ":2: unknown key request_per_minute; did you mean requests_per_minute?"
        ),
        ("default: {stored_bytes: -1}", ":1: 'stored_bytes' takes a whole number from 0 to 1000000000000000"),
        ("default: {stored_bytes: 1e3}", ":1: 'stored_bytes' takes a whole number from 0 to 1000000000000000"),
        (
            "groups:\n  big: {stored_bytes: 1}\ntenants:\n  a: bog",
            ":4: 'a' takes limits or the name of a group, which this is not; did you mean big?"
        ),
        (
            "groups: {a: {stored_bytes: 1}, b: a}",
            ":1: 'b' takes limits or the name of a group, which this is not"
        ),
        ("tenants: [a]", ":1: give `name: value` pairs here"),
    ])
    func whatIsWrongIsToldWithItsLine(text: String, refusal: String) {
        #expect(self.refusal(text) == "limits.yaml" + refusal)
    }
}
