import NIOCore
import ProtoFraming

/// What a stream has that can be left.
protocol ClientStreamHandle: AnyObject, Sendable {
    /// The stream; nil when it was not sent.
    var streamID: UInt32? { get }
}

/// A stream whose owner lives on event loops, as its connection sees it: it is told what comes and asked for what goes,
/// without a task. The connection's state machine holds it until it is over.
protocol ClientEventStream: ClientStreamHandle {
    var deadline: NIODeadline { get }

    /// The stream is about to be written. False: nobody wants it any more.
    func began(streamID: UInt32) -> Bool

    /// Appends the frame that opens the stream.
    /// - Throws: RESOURCE_EXHAUSTED, having appended nothing, when it is too long (G5-04).
    func appendRequest(
        streamID: UInt32,
        now: NIODeadline,
        maximumDataBytes: Int,
        to buffer: inout ByteBuffer
    ) throws(RPCError)

    /// Appends the frame of the next message to send on a connection. Gives false when there is none now.
    /// - Throws: as `appendRequest`.
    func appendNext(
        on connection: ClientConnection,
        maximumDataBytes: Int,
        to buffer: inout ByteBuffer
    ) throws(RPCError) -> Bool

    /// A message came.
    /// - Throws: INTERNAL when it must not come; the stream is to be left.
    func received(_ data: ByteBuffer) throws(RPCError) -> ClientStreamConsequences

    /// Messages came together; as the other `received`.
    func received(_ run: FrameRun) throws(RPCError) -> ClientStreamConsequences

    /// The server has ended the stream. True: tell of it.
    func ended() -> Bool

    /// The attempt has failed. What came before is good.
    func failed(_ error: RPCError)

    /// Tells the owner that there is something to take.
    func tellArrival()
}

/// What follows from a message.
struct ClientStreamConsequences {
    /// There may be more to send.
    var send = false
    /// Tell of it (`tellArrival`), once all that has come is taken in.
    var tell = false
}

extension ClientEventStream {
    func received(_ run: FrameRun) throws(RPCError) -> ClientStreamConsequences {
        var follows = ClientStreamConsequences()
        var failure: RPCError?
        _ = run.takeMessages { data in
            do throws(RPCError) {
                let next = try self.received(data)
                follows.send = follows.send || next.send
                follows.tell = follows.tell || next.tell
                return true
            } catch {
                failure = error
                return false
            }
        }
        if let failure { throw failure }
        return follows
    }
}
