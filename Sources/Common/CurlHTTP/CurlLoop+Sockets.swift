import CCurl
import Glibc

// What libcurl has watched for it, and how it is told. Everything is called on the loop's thread.
extension CurlLoop {
    /// Has libcurl say what it waits for.
    func watchSockets() {
        guard let multi = self.multi else { return }
        ccurl_multi_set_callbacks(
            multi,
            { _, descriptor, what, context, _ in
                CurlLoop.from(context)?.wants(what, of: descriptor)
                return 0
            },
            { _, milliseconds, context in
                CurlLoop.from(context)?.setTimer(milliseconds)
                return 0
            },
            Unmanaged.passUnretained(self).toOpaque()
        )
    }

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

    private func wants(_ what: Int32, of descriptor: Int32) {
        let events: WatchedSocketsStateMachine.Events =
            switch what {
            case CURL_POLL_IN: .read
            case CURL_POLL_OUT: .write
            case CURL_POLL_INOUT: [.read, .write]
            default: []
            }
        self.poller?.act(self.sockets.wants(events, of: descriptor), on: descriptor)
    }

    private func setTimer(_ milliseconds: Int) {
        self.timer = milliseconds < 0 ? nil : self.now + Int64(milliseconds)
    }

    /// Lets libcurl do what its time has come for; new transfers begin so too.
    func driveTimer() {
        guard let timer = self.timer, timer <= self.now else { return }
        self.timer = nil
        self.act(on: ccurl_socket_timeout, [])
    }

    /// Waits, and lets libcurl read and write where it can.
    func drive(waiting milliseconds: Int32) {
        var isFirst = true
        self.poller?.wait(milliseconds: milliseconds) { descriptor, events in
            if isFirst { self.now = Self.monotonicMilliseconds() }
            isFirst = false
            let action = self.sockets.happened(on: descriptor)
            guard action == .none else { self.poller?.act(action, on: descriptor); return }
            self.act(on: descriptor, events)
        }
    }

    private func act(on descriptor: curl_socket_t, _ events: WatchedSocketsStateMachine.Events) {
        var mask: Int32 = 0
        if events.contains(.read) { mask |= CURL_CSELECT_IN }
        if events.contains(.write) { mask |= CURL_CSELECT_OUT }
        var running: Int32 = 0
        curl_multi_socket_action(self.multi, descriptor, mask, &running)
    }
}
