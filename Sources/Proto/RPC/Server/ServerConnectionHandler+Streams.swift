import NIOCore
import ProtoFraming

// Messages of streams that come in.
extension ServerConnectionHandler {
    /// Takes the messages of a run, or the first of them. False: none was; they are to come one by one.
    func take(_ run: FrameRun, context: ChannelHandlerContext) -> Bool {
        switch self.machine.stream(run.streamID) {
        case .task(let call):
            guard let state = call.stream?.state else { return false }
            let taken = state.withMachine { $0.dataReceived(run) }
            self.decoder.consume(run, messages: taken)
            return taken > 0
        case .events(let call):
            let (taken, failure) = call.received(run)
            self.decoder.consume(run, messages: taken)
            self.delivered(to: call, failure: failure, context: context)
            return true
        case nil:
            return false
        }
    }

    func deliver(_ frame: Frame, to call: RunningCall, context: ChannelHandlerContext) {
        switch call {
        case .task(let call): self.deliver(frame, to: call, context: context)
        case .events(let call): self.deliver(frame, to: call, context: context)
        }
    }

    private func deliver(_ frame: Frame, to call: ServerCall, context: ChannelHandlerContext) {
        guard let state = call.stream?.state else { return }
        switch state.withMachine({ $0.dataReceived(flags: frame.flags, data: frame.data) }) {
        case .accepted:
            break
        case .windowFull:
            let patience = TimeAmount(clamping: self.limits.fullStreamPatience)
            self.hold(frame, patience: patience, context: context)
        case .answer(let error, let cancel):
            self.answer(frame.streamID, error, cancel: cancel, context: context)
        }
    }

    func answer(_ streamID: UInt32, _ error: RPCError, cancel: Bool, context: ChannelHandlerContext) {
        let call = self.machine.answered(streamID: streamID)
        self.fail(streamID, error, cancelling: cancel ? call : nil, context: context)
    }
}

extension ServerConnectionHandler: FrameHolder {
    func mayRead(_ context: ChannelHandlerContext) -> Bool {
        context.channel.isWritable
    }

    func fail(heldTooLong frame: Frame, context: ChannelHandlerContext) {
        guard let running = self.machine.answered(streamID: frame.streamID), case .task(let call) = running,
            case .answer(let error, _) = call.stream?.state.withMachine({ $0.windowExceeded() })
        else { return }
        self.fail(frame.streamID, error, cancelling: running, context: context)
    }

    func goOn(_ context: ChannelHandlerContext) {
        self.readFrames(context)
        self.endRead(context)
        self.readOn(context)
        self.closeIfDrained(context)
    }
}
