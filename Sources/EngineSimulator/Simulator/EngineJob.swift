import NIOCore
import NIOHTTP1

/// One inference request from its arrival to its end; lives on its connection's event loop.
final class EngineJob {
    private let prompt: Prompt
    private let fault: Fault?
    private let path: String
    private let requestID: String?
    private let state: EngineState
    private let reply: EngineReply
    private let answer: AnswerGenerator
    private var startedAt: Double?
    private var isOver = false
    private var timer: Scheduled<Void>?

    init(
        prompt: Prompt,
        fault: Fault?,
        path: String,
        requestID: String?,
        state: EngineState,
        reply: EngineReply
    ) {
        self.prompt = prompt
        self.fault = fault
        self.path = path
        self.requestID = requestID
        self.state = state
        self.reply = reply
        self.answer = AnswerGenerator(prompt: prompt)
    }

    /// Waits for a slot, then runs.
    func start() {
        self.state.enter(self) { self.run() }
    }

    /// The connection is gone: the slot is free at once.
    func clientHasGone() {
        self.finish("cancelled", status: 0)
    }

    private func run() {
        self.startedAt = self.state.witness == nil ? 0 : WitnessLedger.now()
        if let fault = self.fault, self.perform(fault) { return }
        if let events = self.streamedEvents {
            self.after(self.state.configuration.timeToFirstToken) {
                self.reply.head(.ok, "text/event-stream", [("transfer-encoding", "chunked")])
                self.send(events[...])
            }
        } else {
            let configuration = self.state.configuration
            let generation = configuration.timePerToken * max(self.answer.tokens - 1, 0)
            self.after(configuration.timeToFirstToken + generation) { self.answerWhole() }
        }
    }

    private func answerWhole() {
        self.reply.send(.ok, self.answer.body(path: self.path))
        self.finish("ok", status: 200)
    }

    private func finish(_ outcome: String, status: Int) {
        guard !self.isOver else { return }
        self.isOver = true
        self.timer?.cancel()
        if let start = self.startedAt {
            if outcome == "ok" { self.state.count(prompt: (self.prompt.bytes + 3) / 4, generated: self.answer.tokens) }
            self.state.witness?.record(
                id: self.requestID,
                bodyHash: self.prompt.hash,
                path: self.path,
                start: start,
                end: WitnessLedger.now(),
                outcome: outcome,
                status: status
            )
        }
        self.state.leave(self, wasRunning: self.startedAt != nil)
    }

    /// Runs `body` after a delay; at once, in the same turn, when there is none.
    private func after(_ delay: Duration, _ body: @escaping () -> Void) {
        guard delay > .zero else { return body() }
        self.timer = self.reply.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(delay)) {
            if !self.isOver { body() }
        }
    }
}

// MARK: - Streams

extension EngineJob {
    /// nil: the answer is asked for as a whole.
    private var streamedEvents: [StreamEvent]? {
        self.prompt.isStream ? self.answer.events(path: self.path) : nil
    }

    private func send(_ events: ArraySlice<StreamEvent>) {
        guard let event = events.first else {
            self.reply.end()
            return self.finish("ok", status: 200)
        }
        self.reply.event(event)
        self.after(self.state.configuration.timePerToken) { self.send(events.dropFirst()) }
    }
}

// MARK: - Faults

extension EngineJob {
    /// Does what the fault says; false when the request is to be answered all the same.
    private func perform(_ fault: Fault) -> Bool {
        switch fault.name {
        case .hang: return true
        case .status: self.fail(fault)
        case .statusThenOK:
            guard self.state.failsNow(self.prompt.hash, times: fault.value("times", 1)) else { return false }
            self.fail(fault)
        case .resetBefore: self.reply.close()
        case .resetBody, .stall:
            self.answerHalf()
            if fault.name == .stall { return true }
            self.reply.close()
        case .garbage: self.reply.send(.ok, "<html><body>It works!</body></html>", contentType: "text/html")
        case .invalidJSON: self.reply.send(.ok, String(self.answer.body(path: self.path).dropLast(20)))
        case .empty: self.reply.send(.ok, "")
        case .invalidUTF8: self.reply.send(.ok, ByteBuffer(bytes: [0x7B, 0x22, 0xFF, 0x22, 0x3A, 0x31, 0x7D]))
        case .huge:
            let count = min(max(fault.value("bytes", 100_000_000), 0), 1 << 30)
            var body = ByteBuffer(string: "{\"a\":\"")
            body.writeRepeatingByte(UInt8(ascii: "x"), count: count)
            body.writeString("\"}")
            self.reply.send(.ok, body)
        case .deep:
            let depth = min(max(fault.value("depth", 100_000), 1), 10_000_000)
            var body = ByteBuffer(repeating: UInt8(ascii: "["), count: depth)
            body.writeRepeatingByte(UInt8(ascii: "]"), count: depth)
            self.reply.send(.ok, body)
        case .crlfBody:
            let body = self.answer.body(path: self.path)
            self.reply.send(.ok, body.replacing(",\"", with: ",\r\n\""))
        }
        self.finish(fault.name.rawValue, status: fault.name == .status ? fault.value("code", 500) : 200)
        return true
    }

    /// Half of what was asked for, and its end is not said.
    private func answerHalf() {
        let events = self.streamedEvents?.map(\.text).joined()
        let body = events ?? self.answer.body(path: self.path)
        if events != nil {
            self.reply.head(.ok, "text/event-stream", [("transfer-encoding", "chunked")])
        } else {
            self.reply.head(.ok, "application/json", [("content-length", String(body.utf8.count))])
        }
        self.reply.piece(ByteBuffer(string: String(body.prefix(body.count / 2))), flush: true)
    }

    private func fail(_ fault: Fault) {
        let retryAfter = fault.value("retry_after", -1)
        self.reply.sendError(
            HTTPResponseStatus(statusCode: fault.value("code", 500)),
            "The fault that was asked for.",
            code: "simulated_fault",
            headers: retryAfter >= 0 ? [("retry-after", String(retryAfter))] : []
        )
    }
}
