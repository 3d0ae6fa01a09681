/// Which sockets are watched, for what and for whom: for libcurl while it makes a connection, then for who speaks over it. No
/// I/O: it says what to tell the kernel.
///
/// A connection stays watched while nobody waits for it, such as one whose answer is paused, which saves system calls; when
/// something comes then, it is watched no more.
struct WatchedSocketsStateMachine {
    /// What can happen on a socket.
    struct Events: OptionSet {
        let rawValue: UInt8

        /// There is something to read, or the end.
        static let read = Self(rawValue: 1)
        /// There is room to write.
        static let write = Self(rawValue: 2)
    }

    /// Who waits for a socket.
    enum Owner: Equatable {
        /// libcurl, by the number of its multi handle.
        case multi(Int)
        /// A connection, by its number.
        case connection(Int)
    }

    /// What to tell the kernel.
    enum Action: Equatable {
        case none
        case add(Events)
        case modify(Events)
        case remove
    }

    private struct Socket {
        /// A connection: its end is told by `closed`. Others, such as those of a look-up of a name, may end untold.
        var isConnection = false
        var wanted: Events = []
        var watched: Events = []
        /// Who waits, or did last.
        var owner: Owner?
    }

    /// By descriptor: small numbers that are used again.
    private var sockets: [Socket] = []

    /// A connection's socket was opened.
    mutating func opened(_ descriptor: Int32) {
        self.edit(descriptor) { $0 = Socket(isConnection: true) }
    }

    /// A connection's socket is closed; the kernel forgets it by itself.
    mutating func closed(_ descriptor: Int32) {
        self.edit(descriptor) { $0 = Socket() }
    }

    /// Somebody waits for these events; for none: no more.
    mutating func wants(_ events: Events, of descriptor: Int32, for owner: Owner) -> Action {
        self.edit(descriptor) { socket in
            socket.wanted = events
            socket.owner = owner
            if events == socket.watched || events.isEmpty && socket.isConnection { return .none }
            return Self.watch(events, &socket)
        } ?? .none
    }

    /// Something has happened. What nobody waits for is watched no more.
    mutating func happened(on descriptor: Int32) -> Action {
        self.edit(descriptor) { socket in
            socket.wanted.isEmpty && !socket.watched.isEmpty ? Self.watch([], &socket) : .none
        } ?? .none
    }

    /// Who waits for a socket, or did last.
    func owner(of descriptor: Int32) -> Owner? {
        let index = Int(descriptor)
        return self.sockets.indices.contains(index) ? self.sockets[index].owner : nil
    }

    private static func watch(_ events: Events, _ socket: inout Socket) -> Action {
        defer { socket.watched = events }
        if events.isEmpty { return .remove }
        return socket.watched.isEmpty ? .add(events) : .modify(events)
    }

    @discardableResult
    private mutating func edit<Result>(_ descriptor: Int32, _ change: (inout Socket) -> Result) -> Result? {
        guard descriptor >= 0 else { return nil }
        let index = Int(descriptor)
        while self.sockets.count <= index { self.sockets.append(Socket()) }
        return change(&self.sockets[index])
    }
}
