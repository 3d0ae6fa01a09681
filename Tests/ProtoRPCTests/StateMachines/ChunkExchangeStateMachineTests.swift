import NIOCore
import ProtoMessages
import TestSupport
import Testing

@testable import ProtoRPC

private typealias Server = ChunkExchangeStateMachine<InferRequest, InferResponse>
private typealias Client = ChunkExchangeStateMachine<InferResponse, InferRequest>

struct ChunkExchangeStateMachineTests {
    private static func head(_ bytes: UInt64) -> InferRequest {
        InferRequest(
            part: .head(InferHead(requestClass: .online, model: "m", path: "/v1/embeddings", contentBytes: bytes))
        )
    }

    private static func chunk(_ sequence: UInt64, _ bytes: Int) -> InferRequest {
        InferRequest(part: .chunk(InferChunk(sequence: sequence, data: ByteBuffer(repeating: 1, count: bytes))))
    }

    private static func server(_ messages: InferRequest...) throws -> Server {
        var server = Server()
        for message in messages { try server.receive(message) }
        return server
    }

    private static func refusal(of message: InferRequest, after earlier: InferRequest...) throws -> String? {
        var server = Server()
        for message in earlier { try server.receive(message) }
        do throws(RPCError) {
            try server.receive(message)
            return nil
        } catch {
            #expect(error.code == .invalidArgument)
            return error.message
        }
    }

    @Test("A10-04 a body that breaks off is sent as far as it came, then its error")
    func brokenOff() {
        var server = ChunkExchangeStateMachine<InferRequest, InferResponse>()
        let error = RPCError(code: .unknown, message: "gone")
        server.offer(head: InferAnswerHead(status: 200))
        let isTaken = server.offer(ByteBuffer(string: "half"))
        #expect(isTaken)
        server.finish(error)
        let sent = [server.next(), server.next(), server.next()]
        let half = InferChunk(sequence: 0, data: ByteBuffer(string: "half"))
        #expect(
            sent == [
                .message(InferResponse(part: .head(InferAnswerHead(status: 200)))),
                .message(InferResponse(part: .chunk(half))), .failed(error),
            ]
        )
    }

    @Test("the head comes first, and once")
    func headFirstAndOnce() throws {
        #expect(try Self.refusal(of: Self.chunk(0, 1))?.contains("before the head") == true)
        #expect(try Self.refusal(of: Self.head(1), after: Self.head(1))?.contains("second head") == true)
        #expect(try Self.refusal(of: Self.chunk(0, 1), after: Self.head(1)) == nil)
    }

    @Test("a body is announced with 1 byte to 64 MiB", arguments: [0, 1, 64 << 20, 64 << 20 + 1, .max] as [UInt64])
    func announcedSizeIsBounded(_ bytes: UInt64) throws {
        let isRefused = try Self.refusal(of: Self.head(bytes)) != nil
        #expect(isRefused == !(1...(64 << 20)).contains(bytes))
    }

    @Test("G5-15 a chunk out of order is refused", arguments: [0, 2, .max] as [UInt64])
    func orderIsChecked(_ sequence: UInt64) throws {
        let refusal = try Self.refusal(of: Self.chunk(sequence, 1), after: Self.head(9), Self.chunk(0, 1))
        #expect(refusal?.contains("chunk \(sequence) came where chunk 1") == true)
    }

    @Test("a chunk is 1 byte to 256 KiB", arguments: [0, 1, 256 << 10, 256 << 10 + 1])
    func chunksAreBounded(_ bytes: Int) throws {
        let isRefused = try Self.refusal(of: Self.chunk(0, bytes), after: Self.head(1 << 20)) != nil
        #expect(isRefused == !(1...(256 << 10)).contains(bytes))
    }

    @Test("exactly the announced bytes come")
    func sizeIsChecked() throws {
        #expect(try Self.refusal(of: Self.chunk(0, 6), after: Self.head(5))?.contains("more than the 5") == true)
        #expect(try Self.refusal(of: Self.chunk(1, 1), after: Self.head(5), Self.chunk(0, 5)) != nil)
        var short = try Self.server(Self.head(5), Self.chunk(0, 4))
        #expect(throws: RPCError.self) { try short.incomingEnded() }
        var whole = try Self.server(Self.head(5), Self.chunk(0, 5))
        try whole.incomingEnded()
        let taken = (0..<2).map { _ in whole.take(upTo: 9) }
        #expect(taken == [.bytes(ByteBuffer(repeating: 1, count: 5)), .end])
    }

    @Test("G6-02 chunks beyond the credit are refused")
    func creditIsChecked() throws {
        var server = try Self.server(Self.head(64 << 20))
        for sequence: UInt64 in 0..<4 { try server.receive(Self.chunk(sequence, 256 << 10)) }
        #expect(throws: RPCError.self) { try server.receive(Self.chunk(4, 1)) }
        for _ in 0..<2 { _ = server.take(upTo: .max) }
        let next = server.next()
        #expect(next == .message(InferResponse(part: .credit(Credit(messages: 2, bytes: 512 << 10)))))
        try server.receive(Self.chunk(4, 1))
    }

    @Test("a body is taken in pieces, and counts as consumed when its chunk was taken as a whole")
    func takenInPieces() throws {
        var server = try Self.server(Self.head(1 << 20), Self.chunk(0, 256 << 10), Self.chunk(1, 256 << 10))
        for _ in 0..<7 { _ = server.take(upTo: 64 << 10) }
        #expect(!server.hasGrant && server.heldBytes == 64 << 10)
        _ = server.take(upTo: 64 << 10)
        #expect(server.hasGrant && server.take(upTo: 1) == .wait)
    }

    @Test("what came before a failure is taken before it")
    func failureComesLast() throws {
        var client = Client()
        let error = RPCError(code: .unknown, message: "broken")
        #expect(client.head == .wait)
        try client.receive(InferResponse(part: .head(InferAnswerHead(status: 200))))
        try client.receive(InferResponse(part: .chunk(InferChunk(data: ByteBuffer(string: "a")))))
        client.fail(error)
        client.fail(RPCError(code: .cancelled, message: "later"))
        #expect(client.head == .head(InferAnswerHead(status: 200)))
        let taken = (0..<2).map { _ in client.take(upTo: 9) }
        #expect(taken == [.bytes(ByteBuffer(string: "a")), .failed(error)])
        var early = Client()
        early.fail(error)
        #expect(early.head == .failed(error))
        var ended = Client()
        #expect(throws: RPCError.self) { try ended.incomingEnded() }
    }

    @Test("messages of a later version are passed over")
    func unknownPartsArePassedOver() throws {
        #expect(try Self.refusal(of: InferRequest(), after: Self.head(1)) == nil)
    }

    @Test("what is offered goes out behind the head, gathered up to a chunk")
    func outgoingIsGathered() throws {
        var server = Server()
        let small = ByteBuffer(repeating: 7, count: 100 << 10)
        let offered = (0..<3).map { _ in server.offer(small) }
        #expect(offered == [true, true, false])
        server.offer(head: InferAnswerHead(status: 200))
        let first = server.next()
        #expect(first == .message(InferResponse(part: .head(InferAnswerHead(status: 200)))))
        let both = ByteBuffer(repeating: 7, count: 200 << 10)
        let second = server.next()
        #expect(second == .message(InferResponse(part: .chunk(InferChunk(sequence: 0, data: both)))))
        #expect(server.next() == .wait && server.heldBytes == 0)
        server.finish()
        #expect(server.next() == .end)
    }

    @Test("G6-02 a peer that has closed and not granted enough gets no more")
    func closedWithoutCredits() throws {
        var server = try Self.server(Self.head(1), Self.chunk(0, 1))
        var sent = 0
        while server.offer(ByteBuffer(repeating: 1, count: 256 << 10)), case .message = server.next() { sent += 1 }
        #expect(sent == 4 && server.next() == .wait)
        try server.incomingEnded()
        guard case .failed = server.next() else {
            Issue.record("nothing told that no credit will come")
            return
        }
    }

    @Test("G6-02 bodies both ways come whole, in bounded memory and never more than 64 messages", arguments: 1...20)
    func bodiesComeWhole(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let sizes = [Int.random(in: 1...(8 << 20), using: &random), Int.random(in: 0...(8 << 20), using: &random)]
        var model = Model(requestBytes: sizes[0], answerBytes: sizes[1])
        var steps = 0
        while !model.isOver, steps < 1_000_000 {
            try model.step(using: &random)
            steps += 1
            #expect(model.up.count <= 64 && model.down.count <= 64, "seed \(seed)")
            #expect(model.client.heldBytes <= (1 << 20) + CreditWindow.maximumChunkBytes, "seed \(seed)")
            #expect(model.server.heldBytes <= (1 << 20) + CreditWindow.maximumChunkBytes, "seed \(seed)")
        }
        #expect(model.isOver && model.requestTaken == sizes[0] && model.answerTaken == sizes[1], "seed \(seed)")
    }
}

/// Both sides and the messages between them, moved in any order.
private struct Model {
    var client = Client()
    var server = Server()
    var up: [InferRequest] = []
    var down: [InferResponse] = []
    var requestLeft: Int
    var answerLeft: Int
    var requestTaken = 0
    var answerTaken = 0
    var isOver: Bool { self.requestIsOver && self.answerIsOver }
    private var requestIsOver = false
    private var answerIsOver = false
    private var serverIsDone = false

    init(requestBytes: Int, answerBytes: Int) {
        self.requestLeft = requestBytes
        self.answerLeft = answerBytes
        self.client.offer(head: InferHead(model: "m", contentBytes: UInt64(requestBytes)))
        self.server.offer(head: InferAnswerHead(status: 200))
    }

    mutating func step(using random: inout SeededGenerator) throws {
        switch Int.random(in: 0..<8, using: &random) {
        case 0: if case .message(let message) = self.client.next() { self.up.append(message) }
        case 1:
            switch self.server.next() {
            case .message(let message): self.down.append(message)
            case .end: self.serverIsDone = true
            default: break
            }
        case 2: if !self.up.isEmpty { try self.server.receive(self.up.removeFirst()) }
        case 3:
            if !self.down.isEmpty {
                try self.client.receive(self.down.removeFirst())
            } else if self.serverIsDone {
                try self.client.incomingEnded()
            }
        case 4: Self.offer(&self.requestLeft, using: &random) { self.client.offer($0) }
        case 5:
            Self.offer(&self.answerLeft, using: &random) { self.server.offer($0) }
            if self.answerLeft == 0, self.requestTaken > 0 || self.requestLeft == 0 { self.server.finish() }
        case 6:
            let limit = Int.random(in: 1...(512 << 10), using: &random)
            switch self.server.take(upTo: limit) {
            case .bytes(let bytes): self.requestTaken += bytes.readableBytes
            case .end: self.requestIsOver = true
            default: break
            }
        default:
            switch self.client.take(upTo: .max) {
            case .bytes(let bytes): self.answerTaken += bytes.readableBytes
            case .end: self.answerIsOver = true
            default: break
            }
        }
    }

    private static func offer(
        _ left: inout Int,
        using random: inout SeededGenerator,
        _ offer: (ByteBuffer) -> Bool
    ) {
        let count = min(left, Int.random(in: 1...CreditWindow.maximumChunkBytes, using: &random))
        if count > 0, offer(ByteBuffer(repeating: 1, count: count)) { left -= count }
    }
}
