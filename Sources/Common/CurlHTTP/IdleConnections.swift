/// A server by scheme, host and port, and the connections to it that wait for their next request. For the loop's thread.
final class Origin<Connection: AnyObject> {
    fileprivate struct Idle {
        let connection: Connection
        let since: Int64
    }

    /// Where to connect to.
    let url: String
    /// In the order in which they became idle.
    fileprivate var idle: [Idle] = []
    /// It is among those of `IdleConnections`.
    fileprivate var isListed = false

    init(_ url: String) {
        self.url = url
    }
}

/// Connections that wait for their next request. The one used last is used first, so that those that are not needed grow old.
/// No I/O.
struct IdleConnections<Connection: AnyObject> {
    /// Longer than servers keep a connection that nobody uses, most of them: nginx does for 75 s, uvicorn for 5.
    static var maximumIdleMilliseconds: Int64 { 60_000 }

    /// Most connections kept.
    private let maximum: Int
    private(set) var count = 0
    /// Those that may have connections.
    private var origins: [Origin<Connection>] = []

    init(maximum: Int) {
        self.maximum = maximum
    }

    /// Keeps a connection; false when there are too many.
    mutating func put(_ connection: Connection, of origin: Origin<Connection>, at now: Int64) -> Bool {
        guard self.count < self.maximum else { return false }
        origin.idle.append(.init(connection: connection, since: now))
        self.count += 1
        if !origin.isListed {
            origin.isListed = true
            self.origins.append(origin)
        }
        return true
    }

    /// A connection to an origin, which is kept no more.
    mutating func take(_ origin: Origin<Connection>) -> Connection? {
        guard let idle = origin.idle.popLast() else { return nil }
        self.count -= 1
        return idle.connection
    }

    /// Keeps a connection no more, if it is kept.
    mutating func remove(_ connection: Connection, of origin: Origin<Connection>) {
        guard let index = origin.idle.lastIndex(where: { $0.connection === connection }) else { return }
        origin.idle.remove(at: index)
        self.count -= 1
    }

    /// Gives those that were idle for too long, which are kept no more.
    mutating func removeOld(at now: Int64) -> [Connection] {
        var old: [Connection] = []
        for origin in self.origins {
            let count = origin.idle.prefix { now - $0.since > Self.maximumIdleMilliseconds }.count
            old += origin.idle.prefix(count).map(\.connection)
            origin.idle.removeFirst(count)
            origin.isListed = !origin.idle.isEmpty
        }
        self.origins.removeAll { !$0.isListed }
        self.count -= old.count
        return old
    }
}
