import NIOCore
import ProtoFraming

/// One call on the server that a responder answers. Bound to the event loop of its connection.
final class ServerEventCall {
    let streamID: UInt32
    let waker: RPCStreamWaker
    private var machine: ServerStreamStateMachine
    /// Made when the call was accepted.
    private var responder: StreamResponder?
    private var endIsTold = false

    init(_ machine: ServerStreamStateMachine, streamID: UInt32, connection: ServerConnection) {
        self.machine = machine
        self.streamID = streamID
        self.waker = RPCStreamWaker(streamID: streamID, connection: connection)
    }

    /// The call was accepted: `responder` gets what came with its request.
    /// - Throws: the status with which the stream ends.
    func begin(_ responder: StreamResponder) throws(RPCError) {
        self.responder = responder
        try self.deliver()
    }

    /// A data frame came.
    /// - Throws: the status with which the stream ends.
    func received(_ frame: Frame) throws(RPCError) {
        switch self.machine.dataReceived(flags: frame.flags, data: frame.data) {
        case .accepted: break
        // What comes is consumed at once, so there is always room.
        case .windowFull: throw .windowExceeded
        case .answer(let error, _): throw error
        }
        try self.deliver()
    }

    /// Messages came together. Gives how many were taken, up to one that ends the stream, and the status then.
    func received(_ run: FrameRun) -> (taken: Int, failure: RPCError?) {
        var failure: RPCError?
        let taken = run.takeMessages { data in
            do throws(RPCError) {
                try self.received(Frame(streamID: run.streamID, type: .data, data: data))
            } catch {
                failure = error
            }
            return failure == nil
        }
        return (failure == nil ? taken : taken + 1, failure)
    }

    private func deliver() throws(RPCError) {
        while let responder = self.responder {
            switch self.machine.next() {
            case .message(let data, _): try responder.received(data)
            case .end where !self.endIsTold:
                self.endIsTold = true
                try responder.receivedEnd()
            case .end, .wait, .failed: return
            }
        }
    }

    /// Appends the frames of messages; see `StreamResponder`.
    func appendMessages(
        maximumDataBytes: Int,
        fullBytes: Int,
        to buffer: inout ByteBuffer,
        reserve: (Int) -> Bool
    ) throws(RPCError) -> StreamResponderStep {
        guard self.machine.maySend, let responder = self.responder else { return .wait }
        let header = FrameEncoding.Header(streamID: self.streamID, type: .data)
        return try responder.appendMessages(header, maximumDataBytes, fullBytes, &buffer, reserve)
    }

    /// The responder has ended the stream. Gives its terminal frame.
    func finish(failed: Bool) -> ServerStreamStateMachine.Terminal? {
        self.responder = nil
        return self.machine.finish(failed: failed)
    }

    /// Something else has ended it.
    func end(_ error: RPCError) {
        self.machine.end(error)
        let responder = self.responder
        self.responder = nil
        responder?.ended(error)
    }
}

/// Who runs a call that was accepted.
enum RunningCall {
    /// A task.
    case task(ServerCall)
    /// A responder.
    case events(ServerEventCall)

    /// Ends it with an error that answers its stream, or for which there is nobody to answer.
    func end(_ error: RPCError) {
        switch self {
        case .task(let call): call.end(error)
        case .events(let call): call.end(error)
        }
    }
}
