import NIOCore
import ProtoFraming
import ProtoMessages

// Requests to engines, which live on the event loop (`InferenceCall`).
extension ClientConnectionHandler {
    /// Opens the stream and sends what there is of the request; what is begun in one turn goes out together.
    func begin(_ call: InferenceCall) {
        guard let context = self.context, let connection = self.connection else {
            return call.failed(RPCError(code: .unavailable, message: "the connection was lost", notSent: true))
        }
        let now = context.eventLoop.now
        switch self.machine.start(.inference(call), isStream: true, deadline: call.deadline, now: now) {
        case .refuse(let error): call.failed(error)
        case .send(let streamID, let deadline):
            guard call.began(streamID: streamID) else {
                self.machine.forget(streamID: streamID)
                return
            }
            do throws(RPCError) {
                try self.writer.append(to: context) { buffer throws(RPCError) in
                    try FrameEncoding.append(
                        call.head(now: now),
                        behind: .init(streamID: streamID, type: .request, flags: StreamKind.bidirectional.openingFlags),
                        maximumDataBytes: connection.maximumDataBytes,
                        to: &buffer
                    )
                }
            } catch {
                self.machine.forget(streamID: streamID)
                return call.failed(error)
            }
            if let deadline { self.setTimer(deadline, context: context) }
            self.send(call)
        }
    }

    /// Sends what a call has to send now, as long as the socket takes it.
    func send(_ call: InferenceCall) {
        guard let context = self.context, let connection = self.connection else { return }
        while true {
            guard context.channel.isWritable else {
                if !self.blocked.contains(where: { $0 === call }) { self.blocked.append(call) }
                break
            }
            guard let (streamID, message) = call.next(on: connection) else { break }
            do throws(RPCError) {
                try self.writer.append(to: context) { buffer throws(RPCError) in
                    try FrameEncoding.append(
                        message,
                        behind: .init(streamID: streamID, type: .data),
                        maximumDataBytes: connection.maximumDataBytes,
                        to: &buffer
                    )
                }
            } catch {
                call.failed(error)
                self.cancel(streamID)
                break
            }
        }
        self.flushSoon(context)
    }

    /// The socket has room again.
    func sendBlocked() {
        let blocked = self.blocked
        self.blocked = []
        for call in blocked { self.send(call) }
    }

    /// Nobody wants the answer any more.
    func leave(_ call: InferenceCall) {
        if let streamID = call.streamID { self.cancel(streamID) }
    }

    /// A frame of a call's answer came.
    func received(_ frame: Frame, for call: InferenceCall) {
        do throws(RPCError) {
            if !frame.flags.contains(.noData) {
                let follows = try call.received(frame.data)
                if follows.tell { self.arrived.append(call) }
                if follows.send { self.send(call) }
            }
        } catch {
            call.failed(error)
            return self.cancel(frame.streamID)
        }
        guard frame.flags.contains(.remoteClosed) else { return }
        self.machine.forget(streamID: frame.streamID)
        if call.ended() { self.arrived.append(call) }
    }

    /// The last frame of a call's answer came: its response.
    func answered(_ call: InferenceCall, _ outcome: Result<ByteBuffer, RPCError>) {
        do throws(RPCError) {
            let payload = try outcome.get()
            // Some peers end a stream of messages so; then no payload is no message.
            if payload.readableBytes > 0, try call.received(payload).tell { self.arrived.append(call) }
        } catch {
            return call.failed(error)
        }
        if call.ended() { self.arrived.append(call) }
    }

    /// Tells callers what has come, once for all that came in one go.
    func tellArrivals() {
        guard !self.arrived.isEmpty else { return }
        let calls = self.arrived
        self.arrived = []
        for call in calls { call.tellArrival() }
    }

    /// Ends a stream here, and at a server with the Session service; any other goes on until the deadline (G5-07).
    private func cancel(_ streamID: UInt32) {
        guard let context = self.context, self.machine.forget(streamID: streamID) else { return }
        if self.speaksSession {
            let request = CancelRequest(streamID: streamID, reason: "the caller left the stream")
            self.sendUnwatched(SessionService.cancel, request, context: context)
        }
        self.flushSoon(context)
    }
}
