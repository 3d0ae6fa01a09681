import CCurl
import Glibc

// What libcurl has watched for it, and how it is told. Everything is called on the loop's thread.
extension CurlLoop {
    /// Has a handle tell which sockets its connections open and close. A connection outlives the handle, and libcurl is
    /// done with its connections before the loop ends.
    func watchConnections(of handle: UnsafeMutableRawPointer) {
        ccurl_set_socket_callbacks(
            handle,
            { context, descriptor, _ in
                CurlLoop.from(context)?.sockets.opened(descriptor)
                return CURL_SOCKOPT_OK
            },
            { context, descriptor in
                CurlLoop.from(context)?.sockets.closed(descriptor)
                return close(descriptor)
            },
            Unmanaged.passUnretained(self).toOpaque()
        )
    }

    private static func from(_ context: UnsafeMutableRawPointer?) -> CurlLoop? {
        context.map { Unmanaged<CurlLoop>.fromOpaque($0).takeUnretainedValue() }
    }

    /// A multi handle says what it waits for.
    func wants(_ what: Int32, of descriptor: Int32, for multi: Int) {
        let events: WatchedSocketsStateMachine.Events =
            switch what {
            case CURL_POLL_IN: .read
            case CURL_POLL_OUT: .write
            case CURL_POLL_INOUT: [.read, .write]
            default: []
            }
        self.poller?.act(self.sockets.wants(events, of: descriptor, for: .multi(multi)), on: descriptor)
    }

    /// A connection says what it waits for.
    func watch(_ descriptor: Int32, for events: WatchedSocketsStateMachine.Events, of connection: Int) {
        self.poller?.act(self.sockets.wants(events, of: descriptor, for: .connection(connection)), on: descriptor)
    }

    /// Waits, and has read and written what can be.
    func drive(waiting milliseconds: Int32) {
        var isFirst = true
        self.poller?.wait(milliseconds: milliseconds) { descriptor, events in
            if isFirst { self.now = Self.monotonicMilliseconds() }
            isFirst = false
            let action = self.sockets.happened(on: descriptor)
            guard action == .none else { self.poller?.act(action, on: descriptor); return }
            switch self.sockets.owner(of: descriptor) {
            case .multi(let number): self.multis[number]?.act(on: descriptor, events)
            case .connection(let id): self.connections[id]?.happened(events)
            case nil: break
            }
        }
    }
}
