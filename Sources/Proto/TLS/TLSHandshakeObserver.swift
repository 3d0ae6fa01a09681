public import NIOCore

/// Behind a `TLSHandler`: tells once how the handshake has ended, on the channel's event loop and before the first byte of
/// the peer, then leaves the pipeline.
public final class TLSHandshakeObserver: ChannelInboundHandler, RemovableChannelHandler {
    /// Passed on as it is.
    public typealias InboundIn = ByteBuffer

    private var ended: ((Result<TLSPeer, any Error>) -> Void)?

    /// - Parameter ended: called once: with the peer, or with the `TLSError` or `ChannelError` that ended the channel. It
    ///   may add handlers to the end of the pipeline, which then see everything that the peer sends.
    public init(_ ended: @escaping (Result<TLSPeer, any Error>) -> Void) {
        self.ended = ended
    }

    /// Takes the handshake's end.
    public func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let completed = event as? TLSHandshakeCompleted {
            self.end(.success(completed.peer))
            context.fireUserInboundEventTriggered(event)
            context.pipeline.syncOperations.removeHandler(self, promise: nil)
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    /// Takes a failure.
    public func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.end(.failure(error))
        context.fireErrorCaught(error)
    }

    /// Takes an end without a reason.
    public func channelInactive(context: ChannelHandlerContext) {
        self.endWithoutReason()
        context.fireChannelInactive()
    }

    /// Takes an end that was before this: nothing else is told on a channel that is closed.
    public func handlerRemoved(context: ChannelHandlerContext) {
        self.endWithoutReason()
    }

    private func endWithoutReason() {
        self.end(.failure(TLSError(code: .closed, message: "closed before the handshake was complete")))
    }

    private func end(_ result: Result<TLSPeer, any Error>) {
        let ended = self.ended
        self.ended = nil
        ended?(result)
    }
}
