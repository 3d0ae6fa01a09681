import NIOCore
import ProtoFraming
import ProtoMessages

/// What the Session service asks and tells of the connection that a call came on. On its event loop.
protocol SessionPeer: AnyObject {
    /// What a handler knows of a call that came on the connection.
    func context(of request: RequestEnvelope, streamID: UInt32) -> RPCContext
    /// Answers a call.
    ///
    /// - Throws: RESOURCE_EXHAUSTED when the message does not fit into a frame (G5-04); then nothing was answered.
    func answer(_ streamID: UInt32, _ message: some ProtoMessage) throws(RPCError)
    /// Whether the server is about to stop.
    var isDraining: Bool { get }
    /// Answers a stream with CANCELLED and cancels its handler. Gives false when it had been answered or was never
    /// there.
    func cancelStream(_ streamID: UInt32) -> Bool
    /// The client has said what it is.
    func greeted(by client: SessionLimits)
    /// A ping has come.
    func pinged(nonce: UInt64)
}

/// The server's side of `backfill.session.v1.Session` (G6), which every server has.
enum SessionMethods {
    /// Version of the service (G6-01).
    static let version: UInt32 = 1

    /// A router with the service's methods besides its own. One that it has already stays, such as a `Health` that
    /// knows more.
    static func added(to router: RPCRouter, configuration: RPCServerConfiguration) -> RPCRouter {
        var router = router
        let limits = self.limits(configuration.limits.frame, maximumStreams: configuration.limits.maximumStreams)
        let methods = router
        router.registerImmediate(SessionService.hello) { request, peer in
            if let client = request.client { peer.greeted(by: client) }
            return HelloResponse(server: limits)
        }
        router.registerImmediate(SessionService.ping) { request, peer in
            peer.pinged(nonce: request.nonce)
            return PingResponse(nonce: request.nonce)
        }
        router.registerImmediate(SessionService.cancel) { request, peer in
            CancelResponse(wasRunning: peer.cancelStream(request.streamID))
        }
        router.registerImmediate(SessionService.health) { request, peer in
            guard request.service.isEmpty || methods.has(service: request.service) else {
                return HealthResponse(status: .unknown)
            }
            return HealthResponse(status: peer.isDraining ? .notServing : .serving)
        }
        router.registerOwn(SessionService.watch) { stream, writer in
            var seen = 0
            while let drain = await stream.drainNotice.next(after: &seen) {
                try await writer.send(WatchResponse(drain: drain))
                if drain.isFinal { return }
            }
        }
        return router
    }

    /// What a client says of itself.
    static func hello(of configuration: RPCClientConfiguration) -> HelloRequest {
        var limits = self.limits(configuration.frame, maximumStreams: configuration.maximumCallsInFlight)
        let interval = configuration.keepAlive.map { TimeAmount(clamping: $0.interval).nanoseconds / 1_000_000 }
        limits.pingIntervalMilliseconds = UInt64(clamping: interval.map { max($0, 1) } ?? 0)
        return HelloRequest(client: limits)
    }

    /// What this side says of itself.
    static func limits(_ frame: FrameLimits, maximumStreams: Int) -> SessionLimits {
        SessionLimits(
            version: self.version,
            maximumFrameBytes: UInt64(clamping: frame.maximumDataBytes),
            maximumStreams: UInt32(clamping: maximumStreams),
            windowMessages: UInt32(clamping: StreamInbox.maximumMessages),
            windowBytes: UInt64(clamping: StreamInbox.maximumBytes)
        )
    }
}

extension Drain {
    /// No stream has a higher id: that of a notice at which it is not known yet what will be accepted.
    static let highestStreamID: UInt32 = (1 << 31) - 1

    /// Whether no other notice follows.
    var isFinal: Bool { self.pingNonce == 0 }
}
