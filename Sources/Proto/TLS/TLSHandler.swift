public import NIOCore

/// Bounds of one connection (G6-11).
public struct TLSLimits: Sendable, Equatable {
    /// Longest time from the channel's activity to the end of the handshake.
    public var handshake = TimeAmount.seconds(5)
    /// Longest wait, after a close, for written bytes to go out and for the peer's close_notify.
    public var close = TimeAmount.seconds(5)
    /// Most bytes that are written before the handshake is complete. One more fails the connection.
    public var maximumHeldBytes = 1_048_576

    /// The defaults: 5 s, 5 s, 1 MiB.
    public init() {}
}

/// Encrypts what is behind it in the pipeline: TLS by the system's libssl on the channel's own buffers (G6-10).
///
/// - Writes are gathered to whole records until a flush. Those before the end of the handshake are held, within a bound.
/// - `TLSHandshakeCompleted` is fired once the peer is known; `peer` says the same later.
/// - A failure is fired as a `TLSError`, then the channel is closed. So is the end of the bytes without close_notify.
/// - `close` sends close_notify and waits for the peer's; `close(mode: .output)` sends it and goes on reading. Whether the
///   peer may do the latter is the channel's `allowRemoteHalfClosure`, as without TLS.
///
/// Bound to the channel's event loop.
public final class TLSHandler: ChannelDuplexHandler {
    /// Records from the channel.
    public typealias InboundIn = ByteBuffer
    /// Content for the pipeline.
    public typealias InboundOut = ByteBuffer
    /// Content from the pipeline.
    public typealias OutboundIn = ByteBuffer
    /// Records for the channel.
    public typealias OutboundOut = ByteBuffer

    /// Largest buffer that is passed on in either direction.
    static let chunkBytes = 65_536

    /// Whom the connection is with; nil until the handshake is complete.
    public private(set) var peer: TLSPeer?

    private let limits: TLSLimits
    private let connection: TLSConnection
    private var machine: TLSConnectionStateMachine
    private var writer = RecordWriter()
    private var plaintext = BufferPool()
    private var held: [(buffer: ByteBuffer, promise: EventLoopPromise<Void>?)] = []
    private var closeOutputPromise: EventLoopPromise<Void>?
    private var closePromise: EventLoopPromise<Void>?
    private var timer: Scheduled<Void>?
    private var readIsOwed = false

    /// A handler for one channel.
    ///
    /// - Parameters:
    ///   - context: the certificates and rules.
    ///   - role: this side; one of those the context was made for.
    ///   - serverName: for clients, the DNS name or IP address that the server's certificate must have. A DNS name is
    ///     also sent as SNI.
    ///   - peerURI: for clients, a URI that the server's certificate must have, such as `spiffe://backfill/scheduler`.
    ///     Needed if there is no `serverName`; both are checked if both are given.
    ///   - limits: bounds of the connection.
    public init(
        context: TLSContext,
        role: TLSRole,
        serverName: String? = nil,
        peerURI: String? = nil,
        limits: TLSLimits = TLSLimits()
    ) throws(TLSError) {
        guard context.configuration.roles.contains(role) else {
            throw TLSError(code: .configuration, message: "the context is not for a \(role)")
        }
        let expected = TLSExpectedPeer(serverName: serverName, uri: peerURI)
        try expected.validate(role: role)
        self.limits = limits
        self.connection = try TLSConnection(context: context, role: role, expected: expected)
        self.machine = TLSConnectionStateMachine(maximumHeldBytes: limits.maximumHeldBytes)
    }

    // MARK: - Life of the channel

    /// Begins the handshake if the channel is active.
    public func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { self.start(context) }
    }

    /// Lets go of what was held.
    public func handlerRemoved(context: ChannelHandlerContext) {
        self.release(ChannelError.ioOnClosedChannel)
        self.closePromise?.fail(ChannelError.ioOnClosedChannel)
        self.closePromise = nil
    }

    /// Begins the handshake.
    public func channelActive(context: ChannelHandlerContext) {
        self.start(context)
        context.fireChannelActive()
    }

    /// Reports a truncation if there was one.
    public func channelInactive(context: ChannelHandlerContext) {
        if case .fail(let error) = self.machine.endOfBytes() {
            self.release(error)
            context.fireErrorCaught(error)
        }
        self.closePromise?.succeed()
        self.closePromise = nil
        self.release(ChannelError.ioOnClosedChannel)
        context.fireChannelInactive()
    }

    /// Takes the end of the peer's bytes, which is no end of its content.
    public func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? ChannelEvent, event == .inputClosed else {
            context.fireUserInboundEventTriggered(event)
            return
        }
        self.act(on: self.machine.endOfBytes(), context: context)
    }

    private func start(_ context: ChannelHandlerContext) {
        guard self.machine.start() else { return }
        self.setTimer(self.limits.handshake, context: context)
        self.advanceHandshake(context)
        self.sendRecords(context)
        // Somebody behind who reads on demand asks for nothing yet.
        context.read()
    }

    // MARK: - Input

    /// Decrypts.
    public func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard self.machine.takesInput else { return }
        self.connection.bio.receive(self.unwrapInboundIn(data))
        if self.machine.phase == .handshaking { self.advanceHandshake(context) }
        self.decrypt(context)
        self.connection.bio.releaseReceived()
        self.sendRecords(context)
    }

    /// Asks the channel for more if what came was no content yet.
    public func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        if self.readIsOwed || self.machine.readsForItself { context.read() }
    }

    /// Remembers that somebody waits for content.
    public func read(context: ChannelHandlerContext) {
        self.readIsOwed = true
        context.read()
    }

    private func decrypt(_ context: ChannelHandlerContext) {
        while self.machine.takesInput, self.machine.phase != .handshaking {
            let waiting = self.connection.waitingBytes
            var buffer = self.plaintext.take(capacity: min(waiting, Self.chunkBytes))
            let outcome = self.connection.read(into: &buffer, limit: Self.chunkBytes)
            if buffer.readableBytes > 0, self.machine.deliversContent {
                self.readIsOwed = false
                context.fireChannelRead(self.wrapInboundOut(buffer))
            }
            self.plaintext.remember(buffer)
            switch outcome {
            case .more:
                continue
            case .needsInput:
                return
            case .end:
                let isAllowed = self.halfClosureIsAllowed(context)
                self.act(on: self.machine.closeNotifyReceived(halfClosureIsAllowed: isAllowed), context: context)
            case .failed(let error):
                self.fail(error, context: context)
            }
        }
    }

    private func halfClosureIsAllowed(_ context: ChannelHandlerContext) -> Bool {
        (try? context.channel.syncOptions?.getOption(ChannelOptions.allowRemoteHalfClosure)) ?? false
    }

    // MARK: - Handshake

    private func advanceHandshake(_ context: ChannelHandlerContext) {
        switch self.connection.handshake() {
        case .needsInput: return
        case .failed(let error): self.fail(error, context: context)
        case .complete: self.completeHandshake(context)
        }
    }

    private func completeHandshake(_ context: ChannelHandlerContext) {
        guard case .open(let closeOutput) = self.machine.handshakeCompleted() else { return }
        self.timer?.cancel()
        let peer = self.connection.peer()
        self.peer = peer
        let held = self.held
        self.held = []
        for write in held { self.encrypt(write.buffer, promise: write.promise, context: context) }
        self.flushRecords(context)
        context.fireUserInboundEventTriggered(TLSHandshakeCompleted(peer: peer))
        let promise = self.closeOutputPromise
        self.closeOutputPromise = nil
        if closeOutput { self.closeOutput(context: context, promise: promise) }
    }

    // MARK: - Output

    /// Encrypts, or holds until the handshake is complete.
    public func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let buffer = self.unwrapOutboundIn(data)
        switch self.machine.write(bytes: buffer.readableBytes) {
        case .encrypt:
            self.encrypt(buffer, promise: promise, context: context)
        case .hold:
            self.held.append((buffer, promise))
        case .refuse:
            promise?.fail(ChannelError.outputClosed)
        case .fail(let error):
            promise?.fail(error)
            self.fail(error, context: context)
        }
    }

    /// Sends what was written. What is held is sent with the end of the handshake.
    public func flush(context: ChannelHandlerContext) {
        self.flushRecords(context)
    }

    private func encrypt(_ buffer: ByteBuffer, promise: EventLoopPromise<Void>?, context: ChannelHandlerContext) {
        let error = self.writer.write(buffer, promise: promise, through: self.connection)
        if let error {
            self.fail(error, context: context)
            return
        }
        // Passed on before the flush, so that the channel counts it and says when it is too much.
        if self.connection.bio.sent.readableBytes >= Self.chunkBytes { self.passOn(context) }
    }

    private func flushRecords(_ context: ChannelHandlerContext) {
        if let error = self.writer.finishRecord(through: self.connection) {
            self.fail(error, context: context)
            return
        }
        self.passOn(context)
        context.flush()
    }

    /// Sends the records that libssl has written on its own: handshake, alerts, tickets, answers to key updates.
    private func sendRecords(_ context: ChannelHandlerContext) {
        guard self.connection.bio.sent.readableBytes > 0 else { return }
        self.passOn(context)
        context.flush()
    }

    private func passOn(_ context: ChannelHandlerContext) {
        let promise = self.writer.takePromise()
        let records = self.connection.bio.takeSent()
        guard records != nil || promise != nil else { return }
        context.write(self.wrapOutboundOut(records ?? ByteBuffer()), promise: promise)
    }

    // MARK: - The end

    /// Ends one or both directions with close_notify.
    public func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        switch mode {
        case .all: self.closeAll(context: context, promise: promise)
        case .output: self.closeOutput(context: context, promise: promise)
        case .input: promise?.fail(ChannelError.operationUnsupported)
        }
    }

    private func closeOutput(context: ChannelHandlerContext, promise: EventLoopPromise<Void>?) {
        switch self.machine.closeOutput() {
        case .sendNotify:
            self.sendCloseNotify(context, promise: promise)
        case .sendNotifyAndClose:
            self.writer.add(promise)
            self.notifyAndClose(context, sendNotify: true)
        case .later: self.closeOutputPromise = promise
        case .refuse: promise?.fail(ChannelError.outputClosed)
        }
    }

    private func closeAll(context: ChannelHandlerContext, promise: EventLoopPromise<Void>?) {
        switch self.machine.close() {
        case .close:
            context.close(promise: promise)
        case .abandonHandshake:
            self.release(TLSError(code: .closed, message: "closed before the handshake was complete"))
            context.close(promise: promise)
        case .notifyAndWait(let sendNotify):
            self.remember(closePromise: promise)
            self.setTimer(self.limits.close, context: context)
            if sendNotify { self.sendCloseNotify(context, promise: nil) }
            context.read()
        case .notifyAndClose(let sendNotify):
            self.remember(closePromise: promise)
            self.notifyAndClose(context, sendNotify: sendNotify)
        case .join:
            self.remember(closePromise: promise)
        }
    }

    /// Sends close_notify, and closes once it is out, or the time for that has passed.
    private func notifyAndClose(_ context: ChannelHandlerContext, sendNotify: Bool) {
        guard sendNotify else {
            self.closeChannel(context)
            return
        }
        self.setTimer(self.limits.close, context: context)
        let isSent = context.eventLoop.makePromise(of: Void.self)
        isSent.futureResult.assumeIsolated().whenComplete { _ in self.closeChannel(context) }
        self.sendCloseNotify(context, promise: isSent)
    }

    private func sendCloseNotify(_ context: ChannelHandlerContext, promise: EventLoopPromise<Void>?) {
        // A failure to encrypt the rest shows in its promises; the close goes on.
        _ = self.writer.finishRecord(through: self.connection)
        self.connection.sendCloseNotify()
        self.writer.add(promise)
        self.passOn(context)
        context.flush()
    }

    private func closeChannel(_ context: ChannelHandlerContext) {
        self.timer?.cancel()
        let promise = self.closePromise
        self.closePromise = nil
        context.close(promise: promise)
    }

    private func act(on action: TLSConnectionStateMachine.EndAction, context: ChannelHandlerContext) {
        switch action {
        case .ignore: return
        case .announceHalfClosure: context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        case .answerAndClose: self.notifyAndClose(context, sendNotify: true)
        case .close: self.closeChannel(context)
        case .fail(let error): self.report(error, context: context)
        }
    }

    private func fail(_ error: TLSError, context: ChannelHandlerContext) {
        guard self.machine.failed() else { return }
        self.report(error, context: context)
    }

    /// Sends libssl's alert if there is one, tells the pipeline, and closes.
    private func report(_ error: TLSError, context: ChannelHandlerContext) {
        self.sendRecords(context)
        self.release(error)
        context.fireErrorCaught(error)
        self.closeChannel(context)
    }

    private func remember(closePromise promise: EventLoopPromise<Void>?) {
        guard let promise else { return }
        guard let earlier = self.closePromise else {
            self.closePromise = promise
            return
        }
        earlier.futureResult.cascade(to: promise)
    }

    /// Fails what waits for the handshake or the flush, and stops the timer.
    private func release(_ error: any Error) {
        self.timer?.cancel()
        self.timer = nil
        let held = self.held
        self.held = []
        for write in held { write.promise?.fail(error) }
        self.writer.fail(error)
        self.closeOutputPromise?.fail(error)
        self.closeOutputPromise = nil
    }

    private func setTimer(_ amount: TimeAmount, context: ChannelHandlerContext) {
        self.timer?.cancel()
        self.timer = context.eventLoop.assumeIsolated().scheduleTask(in: amount) {
            switch self.machine.timerFired() {
            case .ignore: return
            case .close: self.closeChannel(context)
            case .fail(let error): self.report(error, context: context)
            }
        }
    }
}
