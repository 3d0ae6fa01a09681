import GatewayAPI
import NIOCore
import NIOHTTP1
import Testing

@testable import GatewayServer

/// Slow and rude clients (T-22, T-36), on a clock of the test's own.
struct HTTPConnectionStateMachineTests {
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private static func at(_ seconds: Int64) -> NIODeadline { self.start + .seconds(seconds) }

    private func machine(_ change: (inout HTTPLimits) -> Void = { _ in }) -> HTTPConnectionStateMachine {
        var limits = HTTPLimits()
        change(&limits)
        return HTTPConnectionStateMachine(limits: limits, now: Self.start)
    }

    private func head(
        _ method: HTTPMethod = .POST,
        _ path: String = "/v1/batches",
        version: HTTPVersion = .http1_1,
        _ fields: [(String, String)] = [("host", "a"), ("content-length", "1000")]
    ) -> IncomingRequest {
        IncomingRequest(
            HTTPRequestHead(version: version, method: method, uri: path, headers: HTTPHeaders(fields))
        )
    }

    @Test("T-22 a head that does not come to its end in time ends the connection, at whatever pace it comes")
    func slowHead() {
        var machine = self.machine()
        // Bytes of a head that is not complete do not reach the machine at all.
        #expect(machine.tick(now: Self.at(59), isReading: true) == .none)
        #expect(machine.tick(now: Self.at(60), isReading: true) == .close)
    }

    @Test("A9-03 a key that is not accepted is told before all else that the head shows, and no body is asked for")
    func keyComesFirst() {
        let unknown = APIError(status: 401, message: "who?", code: "invalid_api_key")
        let heads = [
            self.head(), self.head(.POST, "/v1/nowhere"), self.head(.PUT, "/v1/batches"),
            self.head(.POST, "/v1/files", [("host", "a"), ("content-length", "99999999999")]),
            self.head(.POST, "/v1/batches", [("host", "a"), ("content-length", "9"), ("expect", "100-continue")]),
        ]
        for head in heads {
            var machine = self.machine()
            #expect(machine.received(head, keyRefusal: { unknown }, now: Self.start) == .refuse(unknown))
            let isWanted = machine.receivedBody(bytes: 1, now: Self.start)
            #expect(!isWanted)
        }
        // Without a body the request is answered as the others, and the connection goes on.
        var machine = self.machine()
        let head = self.head(.GET, "/v1/files", [("host", "a")])
        #expect(machine.received(head, keyRefusal: { unknown }, now: Self.start) == .forward)
    }

    @Test("T-22 a body that stalls ends the connection")
    func stalledBody() {
        var machine = self.machine { $0.minimumBodyBytesPerSecond = 0 }
        #expect(machine.received(self.head(), now: Self.at(1)) == .forward)
        _ = machine.receivedBody(bytes: 1, now: Self.at(30))
        #expect(machine.tick(now: Self.at(89), isReading: true) == .none)
        #expect(machine.tick(now: Self.at(90), isReading: true) == .close)
    }

    @Test("T-22 a body that comes byte by byte ends the connection after a period")
    func trickledBody() {
        var machine = self.machine()
        _ = machine.received(self.head(), now: Self.start)
        for second in 1...9 as ClosedRange<Int64> {
            _ = machine.receivedBody(bytes: 1, now: Self.at(second))
            #expect(machine.tick(now: Self.at(second), isReading: true) == .none)
        }
        #expect(machine.tick(now: Self.at(10), isReading: true) == .close)
    }

    @Test("T-22 a body at the least pace goes on, and one that this side holds up does too")
    func slowEnoughBodies() {
        var paced = self.machine()
        var heldUp = self.machine()
        _ = paced.received(self.head(), now: Self.start)
        _ = heldUp.received(self.head(), now: Self.start)
        for second in 1...1_000 as ClosedRange<Int64> {
            _ = paced.receivedBody(bytes: 1_024, now: Self.at(second))
            #expect(paced.tick(now: Self.at(second), isReading: true) == .none)
            #expect(heldUp.tick(now: Self.at(second), isReading: false) == .none)
        }
    }

    @Test("T-22 a client that never takes its answer ends the connection")
    func unreadAnswer() {
        var machine = self.machine()
        _ = machine.received(self.head(.GET, "/v1/files", [("host", "a")]), now: Self.start)
        _ = machine.receivedEnd(now: Self.start)
        machine.writability(false, now: Self.at(5))
        machine.writability(false, now: Self.at(50))
        #expect(machine.tick(now: Self.at(64), isReading: false) == .none)
        #expect(machine.tick(now: Self.at(65), isReading: false) == .close)
    }

    @Test("T-22 a request that the service works on may take as long as it needs")
    func slowAnswer() {
        var machine = self.machine()
        _ = machine.received(self.head(.GET, "/v1/files", [("host", "a")]), now: Self.start)
        _ = machine.receivedEnd(now: Self.start)
        #expect(machine.tick(now: Self.at(3_600), isReading: true) == .none)
        _ = machine.answerEnded(now: Self.at(3_600))
        #expect(machine.tick(now: Self.at(3_659), isReading: true) == .none)
        #expect(machine.tick(now: Self.at(3_660), isReading: true) == .close)
    }

    @Test(
        "T-36 a request whose end is ambiguous is refused",
        arguments: [
            ([("content-length", "3"), ("transfer-encoding", "chunked")], 400),
            ([("transfer-encoding", "chunked"), ("transfer-encoding", "identity")], 501),
            ([("transfer-encoding", "chunked, identity")], 501), ([("transfer-encoding", "gzip")], 501),
            ([("transfer-encoding", "xchunked")], 501), ([("host", "b"), ("content-length", "3")], 400),
            ([("expect", "200-ok"), ("content-length", "3")], 417),
        ] as [([(String, String)], Int)]
    )
    func ambiguousRequests(_ fields: [(String, String)], _ status: Int) {
        var machine = self.machine()
        let action = machine.received(self.head([("host", "a")] + fields), now: Self.start)
        guard case .refuse(let error) = action else {
            Issue.record("\(action)")
            return
        }
        #expect(error.status == status)
        #expect(machine.received(self.head(), now: Self.start) == .drop, "what follows is not read")
    }

    @Test("T-36 HTTP/1.0 with a coded body is refused, and without one is the last request")
    func oldVersion() {
        var coded = self.machine()
        let chunked = self.head(version: .http1_0, [("transfer-encoding", "chunked")])
        guard case .refuse = coded.received(chunked, now: Self.start) else {
            Issue.record("taken")
            return
        }
        var plain = self.machine()
        #expect(plain.received(self.head(.GET, version: .http1_0, []), now: Self.start) == .forward)
        _ = plain.receivedEnd(now: Self.start)
        #expect(plain.received(self.head(), now: Self.start) == .drop)
        #expect(plain.answers() == .init(closes: true, isHTTP10: true))
    }

    @Test("T-36 an answer to HTTP/1.1 is one of HTTP/1.1, also when the next request is HTTP/1.0")
    func versionsInPipeline() {
        var machine = self.machine()
        _ = machine.received(self.head(.GET, "/v1/files", [("host", "a")]), now: Self.start)
        _ = machine.receivedEnd(now: Self.start)
        _ = machine.received(self.head(.GET, version: .http1_0, []), now: Self.start)
        _ = machine.receivedEnd(now: Self.start)
        #expect(machine.answers() == .init(closes: false, isHTTP10: false))
        _ = machine.answerEnded(now: Self.start)
        #expect(machine.answers() == .init(closes: true, isHTTP10: true))
    }

    @Test("T-36 requests in a pipeline are answered in order, and a refusal waits for its turn")
    func pipeline() {
        var machine = self.machine()
        let get = self.head(.GET, "/v1/files", [("host", "a")])
        _ = machine.received(get, now: Self.start)
        _ = machine.receivedEnd(now: Self.start)
        #expect(machine.received(self.head([("content-length", "3")]), now: Self.start) == .drop)
        #expect(machine.answers() == .init(closes: false, isHTTP10: false))
        guard case .refuse(let error) = machine.answerEnded(now: Self.start) else {
            Issue.record("the refusal is lost")
            return
        }
        #expect(error.status == 400)
    }

    @Test("T-22 a connection whose answer was under way when the server was told to stop closes after it")
    func stopsAfterAnswer() {
        var machine = self.machine()
        _ = machine.received(self.head(.GET, "/v1/files", [("host", "a")]), now: Self.start)
        _ = machine.receivedEnd(now: Self.start)
        #expect(!machine.answers().closes)
        let closesNow = machine.quiesces()
        #expect(!closesNow)
        #expect(machine.answerEnded(now: Self.at(1)) == .close(linger: false))
    }

    @Test("T-22 a stop in a pipeline closes the connection after the last answer, not before")
    func stopsAfterPipeline() {
        var machine = self.machine()
        for _ in 1...2 {
            _ = machine.received(self.head(.GET, "/v1/files", [("host", "a")]), now: Self.start)
            _ = machine.receivedEnd(now: Self.start)
        }
        #expect(!machine.answers().closes)
        let closesNow = machine.quiesces()
        #expect(!closesNow)
        #expect(machine.answerEnded(now: Self.start) == .none)
        #expect(machine.answers().closes)
        #expect(machine.answerEnded(now: Self.start) == .close(linger: false))
    }

    @Test("the limits are looked at often enough for the shortest of them", arguments: [100, 1_000, 60_000])
    func ticks(_ milliseconds: Int64) {
        var machine = self.machine {
            $0.headTimeout = .milliseconds(milliseconds)
            $0.bodyTimeout = .milliseconds(milliseconds)
        }
        #expect(machine.tickInterval <= .microseconds(max(10_000, milliseconds * 1_000 / 8)))
        _ = machine.received(self.head(), now: Self.start)
        #expect(machine.tickInterval <= min(.seconds(1), .microseconds(max(10_000, milliseconds * 1_000 / 8))))
    }
}

extension HTTPConnectionStateMachineTests {
    private func head(_ fields: [(String, String)]) -> IncomingRequest {
        self.head(.POST, "/v1/batches", fields)
    }

    private func head(_ method: HTTPMethod, _ path: String, _ fields: [(String, String)]) -> IncomingRequest {
        self.head(method, path, version: .http1_1, fields)
    }

    private func head(version: HTTPVersion, _ fields: [(String, String)]) -> IncomingRequest {
        self.head(.POST, "/v1/batches", version: version, fields)
    }

    private func head(_ method: HTTPMethod, version: HTTPVersion, _ fields: [(String, String)]) -> IncomingRequest {
        self.head(method, "/v1/files", version: version, fields)
    }
}
