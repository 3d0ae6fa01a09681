/// Connections that wait for their next request, by origin. The one used last is used first, so that those that are not needed
/// grow old. No I/O.
struct IdleConnections<Connection: AnyObject> {
    /// Longer than servers keep a connection that nobody uses, most of them: nginx does for 75 s, uvicorn for 5.
    static var maximumIdleMilliseconds: Int64 { 60_000 }

    private struct Idle {
        let connection: Connection
        let since: Int64
    }

    /// Most connections kept.
    private let maximum: Int
    private(set) var count = 0
    /// Each in the order in which they became idle.
    private var byOrigin: [String: [Idle]] = [:]

    init(maximum: Int) {
        self.maximum = maximum
    }

    /// Keeps a connection; false when there are too many.
    mutating func put(_ connection: Connection, of origin: String, at now: Int64) -> Bool {
        guard self.count < self.maximum else { return false }
        self.byOrigin[origin, default: []].append(Idle(connection: connection, since: now))
        self.count += 1
        return true
    }

    /// A connection to an origin, which is kept no more.
    mutating func take(_ origin: String) -> Connection? {
        guard let idle = self.byOrigin[origin]?.popLast() else { return nil }
        self.count -= 1
        return idle.connection
    }

    /// Keeps a connection no more, wherever it is.
    mutating func remove(_ connection: Connection, of origin: String) {
        guard let index = self.byOrigin[origin]?.lastIndex(where: { $0.connection === connection }) else { return }
        self.byOrigin[origin]?.remove(at: index)
        self.count -= 1
    }

    /// Gives those that were idle for too long, which are kept no more.
    mutating func removeOld(at now: Int64) -> [Connection] {
        var old: [Connection] = []
        for (origin, idle) in self.byOrigin {
            let first = idle.firstIndex { now - $0.since <= Self.maximumIdleMilliseconds } ?? idle.endIndex
            guard first > 0 || idle.isEmpty else { continue }
            old += idle[..<first].map(\.connection)
            self.byOrigin[origin] = first == idle.endIndex ? nil : Array(idle[first...])
        }
        self.count -= old.count
        return old
    }
}
