import Synchronization

/// Tells a stream's connection, from any thread, that its responder has something to send.
public final class RPCStreamWaker: Sendable {
    let streamID: UInt32
    private let connection: ServerConnection
    /// It was told, and has not looked yet.
    private let isWoken = Atomic<Bool>(false)
    /// Room that the connection's budget has granted for the message that waits, in bytes.
    private let grantedBytes = Atomic<Int>(0)

    /// The budget has yet to grant room for the message that waits: it is asked once.
    private let waitsForRoom = Atomic<Bool>(false)
    /// It goes on with its next turn, not before.
    private let waitsForTurn = Atomic<Bool>(false)

    init(streamID: UInt32, connection: ServerConnection) {
        self.streamID = streamID
        self.connection = connection
    }

    /// Has the responder asked for what it has to send, soon. Telling it more often before that does no harm, nor does
    /// telling it after the stream's end. Streams of a connection that are woken together are answered in one write.
    public func wake() {
        guard !self.isWoken.exchange(true, ordering: .acquiringAndReleasing) else { return }
        self.connection.post(ServerAnswer(streamID: self.streamID, kind: .wake(self)))
    }

    /// On the event loop: the connection will look at the end of its turn. Gives false when that is known.
    func note() -> Bool {
        !self.isWoken.exchange(true, ordering: .acquiringAndReleasing)
    }

    /// The connection looks; who wakes it from now on is heard again.
    func heard() {
        self.isWoken.store(false, ordering: .sequentiallyConsistent)
    }

    /// The message that waits has room.
    func granted(_ bytes: Int) {
        self.grantedBytes.wrappingAdd(bytes, ordering: .sequentiallyConsistent)
        self.waitsForRoom.store(false, ordering: .sequentiallyConsistent)
        self.connection.goOn(self)
    }

    /// The stream has had its turn. Gives false when it waits for the next one already.
    func waitForTurn() -> Bool {
        !self.waitsForTurn.exchange(true, ordering: .relaxed)
    }

    /// The stream's next turn begins.
    func turnBegins() {
        self.waitsForTurn.store(false, ordering: .relaxed)
    }

    /// Whether it may send before its next turn.
    var isWaitingForTurn: Bool { self.waitsForTurn.load(ordering: .relaxed) }

    /// The message that waits has asked for room.
    func isQueuedForRoom() {
        self.waitsForRoom.store(true, ordering: .sequentiallyConsistent)
    }

    /// Whether it has, and was not granted it.
    var isWaitingForRoom: Bool { self.waitsForRoom.load(ordering: .sequentiallyConsistent) }

    /// What was granted and not used, in bytes.
    func takeGrant() -> Int {
        self.grantedBytes.exchange(0, ordering: .acquiringAndReleasing)
    }
}
