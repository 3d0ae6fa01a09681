import NIOCore
import ProtoFraming
import ProtoMessages

/// What the Session service asks of the connection that a call came on. On its event loop.
protocol SessionPeer {
    /// Whether the server is about to stop.
    var isDraining: Bool { get }
    /// Answers a stream with CANCELLED and cancels its handler. Gives false when it had been answered or was never
    /// there.
    func cancelStream(_ streamID: UInt32) -> Bool
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
        router.registerImmediate(SessionService.hello) { _, _ in HelloResponse(server: limits) }
        router.registerImmediate(SessionService.ping) { request, _ in
            PingResponse(nonce: request.nonce)
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
            if let drain = await stream.drainNotice.wait() {
                try await writer.send(WatchResponse(drain: drain))
            }
        }
        return router
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
