import Logging
import NIOCore
import ProtoFraming
import ProtoMessages

/// Calls of the Session service that a connection makes on its own behalf.
enum SessionCall: Sendable {
    case hello
    case watch
}

// What the server has to say of the connection itself (G6).
extension ClientConnectionHandler {
    private static let greetingTime = TimeAmount.seconds(10)

    /// Asks the server whether it has the Session service (G6-01). A server that has not, answers UNIMPLEMENTED or
    /// INVALID_ARGUMENT (G5-13) or not at all: then the connection goes on without.
    func greet() {
        guard let context = self.context else { return }
        self.start(
            .hello,
            SessionService.hello.name,
            self.hello,
            flags: [],
            within: Self.greetingTime,
            context: context
        )
    }

    /// A call of the connection's own was answered.
    func answered(_ call: SessionCall, _ outcome: ClientCall.Outcome, context: ChannelHandlerContext) {
        // A server without Watch ends that stream with an error; nothing follows from it.
        guard case .hello = call, case .success(let payload) = outcome,
            let answer = try? HelloResponse(serialized: payload), (answer.server?.version ?? 0) >= 1
        else { return }
        self.speaksSession = true
        self.connection?.learnedSession()
        self.beginKeepAlive(context)
        self.start(
            .watch,
            SessionService.watch.name,
            WatchRequest(),
            flags: StreamKind.serverStream.openingFlags,
            within: .longest,
            context: context
        )
    }

    /// A message of Watch came: the server is about to stop (G6-05).
    func watched(_ frame: Frame, context: ChannelHandlerContext) {
        if !frame.flags.contains(.noData), let notice = try? WatchResponse(serialized: frame.data).drain {
            self.drained(notice, context: context)
        }
        if frame.flags.contains(.remoteClosed) { self.machine.forget(streamID: frame.streamID) }
    }

    /// New calls go elsewhere from now on, and so may those that the server says it does not run.
    private func drained(_ notice: Drain, context: ChannelHandlerContext) {
        // First of all, so that who is refused does not choose this connection again.
        self.connection?.end()
        for caller in self.machine.drained(lastAccepted: notice.lastAcceptedStreamID) {
            caller.refuse(.notAccepted("the server stops and has not accepted the call"))
        }
        if !notice.isFinal {
            self.sendUnwatched(SessionService.ping, PingRequest(nonce: notice.pingNonce), context: context)
            self.writer.flush(to: context)
        }
    }

    /// Makes a call whose answer does not matter.
    func sendUnwatched<Request, Response>(
        _ method: RPCMethod<Request, Response>,
        _ request: Request,
        context: ChannelHandlerContext
    ) {
        let head = FrameEncoding.Head(service: method.service, method: method.name)
        guard
            let data = try? FrameEncoding.request(head, request, maximumDataBytes: self.maximumDataBytes),
            let streamID = self.machine.startUnwatched()
        else { return }
        self.writer.append(data, type: .request, streamID: streamID, to: context)
    }

    private func start(
        _ call: SessionCall,
        _ method: String,
        _ request: some ProtoMessage,
        flags: FrameFlags,
        within time: TimeAmount,
        context: ChannelHandlerContext
    ) {
        // Read once: a time that began before the silence did would end before it is long enough to tell (T-24).
        let now = context.eventLoop.now
        let head = FrameEncoding.Head(service: SessionService.name, method: method)
        guard let data = try? FrameEncoding.request(head, request, maximumDataBytes: self.maximumDataBytes),
            case .send(let streamID, let setTimer) = self.machine.start(
                .session(call),
                isStream: flags != [],
                isBackground: true,
                deadline: now + time,
                now: now
            )
        else { return }
        self.writer.append(data, type: .request, flags: flags, streamID: streamID, to: context)
        if let setTimer { self.setTimer(setTimer, context: context) }
        self.writer.flush(to: context)
    }
}

// A server that is silent is asked, and given up when it stays so (G6-04).
extension ClientConnectionHandler {
    private func beginKeepAlive(_ context: ChannelHandlerContext) {
        guard let settings = self.keepAliveSettings else { return }
        let machine = KeepAliveStateMachine(
            interval: TimeAmount(clamping: settings.interval),
            misses: settings.misses,
            now: context.eventLoop.now
        )
        self.keepAlive = machine
        self.setKeepAliveTimer(machine.firstLook, context: context)
    }

    private func setKeepAliveTimer(_ deadline: NIODeadline, context: ChannelHandlerContext) {
        self.keepAliveTimer = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            self.lookForSilence()
        }
    }

    private func lookForSilence() {
        guard let context = self.context else { return }
        let now = context.eventLoop.now
        // What is not read cannot be heard, and while much waits to be sent the kernel judges (`SocketOptions`).
        if self.held.frame != nil || !context.channel.isWritable { self.keepAlive?.active(now: now) }
        switch self.keepAlive?.timerFired(now: now) {
        case .wait(let deadline):
            self.setKeepAliveTimer(deadline, context: context)
        case .missed(let deadline):
            self.setKeepAliveTimer(deadline, context: context)
            self.sendUnwatched(SessionService.ping, PingRequest(), context: context)
            // Last, since a write that fails may end the connection before it returns.
            self.writer.flush(to: context)
        case .dead:
            self.logger.warning("a connection is closed", metadata: ["reason": "the server does not answer pings"])
            context.close(promise: nil)
        case nil:
            break
        }
    }
}
