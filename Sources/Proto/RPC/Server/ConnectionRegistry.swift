import NIOCore
import Synchronization

/// The connections of a server: bounds their number and reaches all of them when the server stops.
final class ConnectionRegistry: Sendable {
    private struct State {
        var connections: [UInt64: ServerConnection] = [:]
        /// Channels whose connections are being set up.
        var pending: [UInt64: any Channel] = [:]
        var lastNumber: UInt64 = 0
        var drainTimeout: TimeAmount?
    }

    private let limit: Int
    private let state = Mutex(State())

    init(limit: Int) {
        self.limit = limit
    }

    /// A place and a number for a new connection; nil when there is none. A place ends with `remove`.
    func reserve(_ channel: any Channel) -> UInt64? {
        self.state.withLock { state in
            let taken = state.connections.count + state.pending.count
            guard taken < self.limit, state.drainTimeout == nil else { return nil }
            state.lastNumber += 1
            state.pending[state.lastNumber] = channel
            return state.lastNumber
        }
    }

    func add(_ connection: ServerConnection) {
        let drainTimeout = self.state.withLock { state in
            state.pending[connection.number] = nil
            state.connections[connection.number] = connection
            return state.drainTimeout
        }
        if let drainTimeout { connection.drain(timeout: drainTimeout) }
    }

    func remove(_ number: UInt64) {
        self.state.withLock { state in
            state.pending[number] = nil
            state.connections[number] = nil
        }
    }

    /// Closes what is left, such as connections that were accepted but not served any more.
    func closeAll() {
        let connections = self.state.withLock { Array($0.connections.values) }
        for connection in connections {
            connection.channel.close(promise: nil)
        }
    }

    /// Drains the connections there are and takes no more; those that are being set up have no calls and are closed.
    func drain(timeout: TimeAmount) {
        let (connections, pending) = self.state.withLock { state in
            state.drainTimeout = timeout
            return (Array(state.connections.values), Array(state.pending.values))
        }
        for channel in pending {
            channel.close(promise: nil)
        }
        for connection in connections {
            connection.drain(timeout: timeout)
        }
    }
}
