import NIOCore
import NIOEmbedded
import ProtoTLS
import Testing

/// The end of a connection: close_notify in each direction, and what it is without.
struct ClosingTests {
    let pair: TestPair

    init() throws {
        let contexts = try TestContexts()
        self.pair = try TestPair(client: contexts.client(), server: contexts.server())
    }

    @Test("T-26 bytes that end without close_notify are a truncation")
    func truncation() throws {
        try self.pair.connect()
        self.pair.client.send([1, 2, 3])
        try self.pair.carry()
        self.pair.server.receiveEnd()
        #expect(self.pair.server.recorder.received == [1, 2, 3])
        #expect(self.pair.server.recorder.codes == [.truncated])
        #expect(self.pair.server.recorder.isInactive)
    }

    @Test("T-26 bytes that end in the middle of a record are a truncation")
    func truncatedRecord() throws {
        try self.pair.connect()
        self.pair.client.send([1, 2, 3])
        let records = try self.pair.client.takeRecords()
        try self.pair.server.receive(records.dropLast())
        self.pair.server.receiveEnd()
        #expect(self.pair.server.recorder.received == [])
        #expect(self.pair.server.recorder.codes == [.truncated])
    }

    @Test("T-26 a half-closed socket without close_notify is a truncation")
    func truncatedHalf() throws {
        try self.pair.connect()
        self.pair.server.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(self.pair.server.recorder.codes == [.truncated])
        #expect(self.pair.server.recorder.inputClosures == 0)
        #expect(!self.pair.server.channel.isActive)
    }

    @Test("T-26 an end in the handshake says so", arguments: [true, false])
    func endInHandshake(isClients: Bool) throws {
        let side = isClients ? self.pair.client : self.pair.server
        try side.activate()
        let held = side.send([1])
        side.receiveEnd()
        #expect(side.recorder.codes == [.closed])
        #expect(throws: TLSError.self) { try held.now() }
    }

    @Test("G6-10 a close sends what was written, then close_notify, and waits for the peer's")
    func close() throws {
        try self.pair.connect()
        let written = self.pair.client.channel.write(ByteBuffer(bytes: [1, 2]))
        let closed = self.pair.client.channel.close()
        #expect(self.pair.client.channel.isActive)
        try self.pair.carry()
        try written.now()
        try closed.now()
        #expect(self.pair.server.recorder.received == [1, 2])
        #expect(self.pair.client.recorder.codes == [] && self.pair.server.recorder.codes == [])
        #expect(!self.pair.client.channel.isActive && !self.pair.server.channel.isActive)
    }

    @Test("G6-10 a peer that does not answer close_notify is waited for no longer than the limit")
    func closeLimit() throws {
        try self.pair.connect()
        let closed = self.pair.client.channel.close()
        self.pair.client.channel.embeddedEventLoop.advanceTime(by: .milliseconds(4_999))
        #expect(self.pair.client.channel.isActive)
        self.pair.client.channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
        #expect(!self.pair.client.channel.isActive)
        try closed.now()
    }

    @Test("G6-10 the end of the bytes is answer enough to a close_notify")
    func closeAndEnd() throws {
        try self.pair.connect()
        let closed = self.pair.client.channel.close()
        self.pair.client.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(!self.pair.client.channel.isActive)
        #expect(self.pair.client.recorder.codes == [])
        try closed.now()
    }

    @Test("G6-10 content that comes after a close is dropped, and nothing can be written")
    func contentAfterClose() throws {
        try self.pair.connect()
        self.pair.server.send([7])
        let closed = self.pair.client.channel.close()
        let late = self.pair.client.send([8])
        try self.pair.carry()
        try closed.now()
        #expect(throws: ChannelError.outputClosed) { try late.now() }
        #expect(self.pair.client.recorder.received == [])
        #expect(self.pair.server.recorder.received == [])
    }

    @Test("G6-10 two closes end together")
    func twoCloses() throws {
        try self.pair.connect()
        let first = self.pair.client.channel.close()
        let second = self.pair.client.channel.close()
        try self.pair.carry()
        try first.now()
        try second.now()
    }

    @Test("G6-10 a close in the handshake is at once")
    func closeInHandshake() throws {
        try self.pair.client.activate()
        let held = self.pair.client.send([1])
        try self.pair.client.channel.close().now()
        #expect(!self.pair.client.channel.isActive)
        #expect(throws: TLSError.self) { try held.now() }
    }

    @Test("G6-10 each side ends its own direction where half-closure is allowed")
    func halfClose() throws {
        self.pair.server.channel.allowRemoteHalfClosure = true
        try self.pair.connect()
        self.pair.client.send([1])
        try self.closeOutput(self.pair.client)
        #expect(self.pair.server.recorder.inputClosures == 1)
        #expect(throws: ChannelError.outputClosed) { try self.pair.client.send([9]).now() }
        self.pair.server.send([2])
        try self.pair.carry()
        #expect(self.pair.server.recorder.received == [1])
        #expect(self.pair.client.recorder.received == [2])
        #expect(self.pair.client.channel.isActive && self.pair.server.channel.isActive)
        try self.closeOutput(self.pair.server)
        #expect(!self.pair.client.channel.isActive && !self.pair.server.channel.isActive)
        #expect(self.pair.client.recorder.codes == [] && self.pair.server.recorder.codes == [])
    }

    @Test("G6-10 a half-closure ends the whole connection where it is not allowed")
    func halfCloseRefused() throws {
        try self.pair.connect()
        try self.closeOutput(self.pair.client)
        #expect(self.pair.server.recorder.inputClosures == 0)
        #expect(!self.pair.client.channel.isActive && !self.pair.server.channel.isActive)
        #expect(self.pair.client.recorder.codes == [] && self.pair.server.recorder.codes == [])
    }

    @Test("G6-10 a half-closure before the end of the handshake sends what was written")
    func halfCloseEarly() throws {
        self.pair.server.channel.allowRemoteHalfClosure = true
        self.pair.client.send([1, 2])
        let closed = self.pair.client.channel.close(mode: .output)
        try self.pair.connect()
        try closed.now()
        #expect(self.pair.server.recorder.received == [1, 2])
        #expect(self.pair.server.recorder.inputClosures == 1)
    }

    @Test("G6-10 the input alone cannot be closed")
    func closeInput() throws {
        try self.pair.connect()
        #expect(throws: ChannelError.operationUnsupported) {
            try self.pair.client.channel.close(mode: .input).now()
        }
    }

    private func closeOutput(_ side: Side) throws {
        let closed = side.channel.close(mode: .output)
        try self.pair.carry()
        try closed.now()
    }
}
