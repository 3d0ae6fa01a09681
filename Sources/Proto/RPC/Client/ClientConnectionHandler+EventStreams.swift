import NIOCore
import ProtoFraming
import ProtoMessages

// Streams that live on the event loop.
extension ClientConnectionHandler {
    /// Opens the stream and sends what there is to send on it; what is begun in one turn goes out together.
    func begin(_ stream: any ClientEventStream) {
        guard let context = self.context, self.connection != nil else {
            return stream.failed(RPCError(code: .unavailable, message: "the connection was lost", notSent: true))
        }
        let now = self.readAt ?? context.eventLoop.now
        switch self.machine.start(.events(stream), isStream: true, deadline: stream.deadline, now: now) {
        case .refuse(let error): stream.failed(error)
        case .send(let streamID, let deadline):
            guard stream.began(streamID: streamID) else {
                self.machine.forget(streamID: streamID)
                return
            }
            do throws(RPCError) {
                try self.writer.append(to: context) { buffer throws(RPCError) in
                    try stream.appendRequest(
                        streamID: streamID,
                        now: now,
                        maximumDataBytes: self.maximumDataBytes,
                        to: &buffer
                    )
                }
            } catch {
                self.machine.forget(streamID: streamID)
                return stream.failed(error)
            }
            if let deadline { self.setTimer(deadline, context: context) }
            self.send(stream)
        }
    }

    /// Sends what a stream has to send now, as long as the socket takes it and for one turn.
    func send(_ stream: any ClientEventStream) {
        guard let context = self.context, let connection = self.connection,
            !self.waitingForTurn.contains(where: { $0 === stream })
        else { return }
        var hasMore = true
        var turnBytes = 0
        while hasMore {
            guard turnBytes < StreamTurns.turnBytes else {
                self.goOnLater(stream, context)
                break
            }
            guard context.channel.isWritable else {
                if !self.blocked.contains(where: { $0 === stream }) { self.blocked.append(stream) }
                break
            }
            do throws(RPCError) {
                try self.writer.append(to: context) { buffer throws(RPCError) in
                    turnBytes -= buffer.readableBytes
                    hasMore = try stream.appendNext(
                        on: connection,
                        maximumDataBytes: self.maximumDataBytes,
                        to: &buffer
                    )
                    turnBytes += buffer.readableBytes
                }
            } catch {
                // Once it has failed it may begin anew, on another stream.
                let streamID = stream.streamID
                stream.failed(error)
                if let streamID { self.cancel(streamID) }
                break
            }
        }
        self.flushSoon(context)
    }

    private func goOnLater(_ stream: any ClientEventStream, _ context: ChannelHandlerContext) {
        self.waitingForTurn.append(stream)
        if self.waitingForTurn.count == 1 { StreamTurns.on(context.eventLoop).add(self) }
    }

    /// The socket has room again.
    func sendBlocked() {
        let blocked = self.blocked
        self.blocked = []
        for stream in blocked { self.send(stream) }
    }

    /// Nobody wants what comes on a stream any more.
    func leave(_ stream: any ClientStreamHandle) {
        if let streamID = stream.streamID { self.cancel(streamID) }
    }

    /// A data frame came.
    func received(_ frame: Frame, for stream: any ClientEventStream) {
        do throws(RPCError) {
            if !frame.flags.contains(.noData) {
                let follows = try stream.received(frame.data)
                if follows.tell { self.arrived.append(stream) }
                if follows.send { self.send(stream) }
            }
        } catch {
            stream.failed(error)
            return self.cancel(frame.streamID)
        }
        guard frame.flags.contains(.remoteClosed) else { return }
        self.machine.forget(streamID: frame.streamID)
        if stream.ended() { self.arrived.append(stream) }
    }

    /// Messages came together.
    func received(_ run: FrameRun, for stream: any ClientEventStream) {
        do throws(RPCError) {
            let follows = try stream.received(run)
            if follows.tell { self.arrived.append(stream) }
            if follows.send { self.send(stream) }
        } catch {
            stream.failed(error)
            self.cancel(run.streamID)
        }
    }

    /// The last frame of a stream came: its response.
    func answered(_ stream: any ClientEventStream, _ outcome: Result<ByteBuffer, RPCError>) {
        do throws(RPCError) {
            let payload = try outcome.get()
            // Some peers end a stream of messages so; then no payload is no message.
            if payload.readableBytes > 0, try stream.received(payload).tell { self.arrived.append(stream) }
        } catch {
            return stream.failed(error)
        }
        if stream.ended() { self.arrived.append(stream) }
    }

    /// Tells owners what has come, once for all that came in one go.
    func tellArrivals() {
        guard !self.arrived.isEmpty else { return }
        let streams = self.arrived
        self.arrived = []
        for stream in streams { stream.tellArrival() }
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

extension ClientConnectionHandler: StreamTurnTaker {
    func takeTurns() {
        let streams = self.waitingForTurn
        self.waitingForTurn = []
        for stream in streams { self.send(stream) }
    }
}
