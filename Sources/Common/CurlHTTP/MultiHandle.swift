import CCurl

/// One libcurl multi handle: some transfers to one server, and the connections that they leave for the next ones. All is
/// for the loop's thread.
final class MultiHandle {
    /// Most transfers at once. At the end of each, libcurl goes through all connections of its multi handle: of 256 lines in
    /// flight each took about a tenth more CPU time in one multi handle than in four; more of them saved nothing.
    static let maximumTransfers = 64

    /// Its number among `MultiHandles`.
    let number: Int
    private let raw: UnsafeMutableRawPointer
    private(set) var transfers = 0
    /// When the last transfer ended, or the handle was made, in milliseconds of the monotonic clock.
    private(set) var idleSince: Int64
    /// When libcurl wants to be called, in milliseconds of the monotonic clock; nil: not by time.
    var timer: Int64?
    private unowned let loop: CurlLoop

    /// nil when there is no memory.
    init?(_ number: Int, loop: CurlLoop) {
        guard let raw = curl_multi_init() else { return nil }
        self.number = number
        self.raw = raw
        self.loop = loop
        self.idleSince = loop.now
        _ = ccurl_multi_set_long(raw, CURLMOPT_MAXCONNECTS, Self.maximumTransfers)
        self.watch()
    }

    deinit {
        // Closes its connections, of which the loop is told.
        curl_multi_cleanup(self.raw)
    }

    /// Begins a transfer; whether libcurl took it.
    func add(_ handle: EasyHandle) -> Bool {
        guard curl_multi_add_handle(self.raw, handle.raw) == CURLM_OK else { return false }
        self.transfers += 1
        handle.multi = self
        return true
    }

    /// Ends a transfer that has begun here.
    func remove(_ handle: EasyHandle) {
        curl_multi_remove_handle(self.raw, handle.raw)
        handle.multi = nil
        self.transfers -= 1
        self.idleSince = self.loop.now
    }

    /// A transfer that has ended by itself, and how; nil when there is no other one.
    func nextCompletion() -> (handle: UnsafeMutableRawPointer, code: CURLcode)? {
        var left: Int32 = 0
        while let message = curl_multi_info_read(self.raw, &left) {
            if message.pointee.msg == CURLMSG_DONE, let handle = message.pointee.easy_handle {
                return (handle, message.pointee.data.result)
            }
        }
        return nil
    }

    /// Lets libcurl do what can be done on a socket. No events: it has to look for itself.
    func act(on descriptor: curl_socket_t, _ events: WatchedSocketsStateMachine.Events) {
        var mask: Int32 = 0
        if events.contains(.read) { mask |= CURL_CSELECT_IN }
        if events.contains(.write) { mask |= CURL_CSELECT_OUT }
        var running: Int32 = 0
        curl_multi_socket_action(self.raw, descriptor, mask, &running)
    }

    /// Lets libcurl do what its time has come for; new transfers begin so too.
    func driveTimer(at now: Int64) {
        guard let timer = self.timer, timer <= now else { return }
        self.timer = nil
        self.act(on: ccurl_socket_timeout, [])
    }

    /// Has libcurl say what it waits for.
    private func watch() {
        ccurl_multi_set_callbacks(
            self.raw,
            { _, descriptor, what, context, _ in
                guard let multi = MultiHandle.from(context) else { return 0 }
                multi.loop.wants(what, of: descriptor, for: multi.number)
                return 0
            },
            { _, milliseconds, context in
                guard let multi = MultiHandle.from(context) else { return 0 }
                multi.timer = milliseconds < 0 ? nil : multi.loop.now + Int64(milliseconds)
                return 0
            },
            Unmanaged.passUnretained(self).toOpaque()
        )
    }

    private static func from(_ context: UnsafeMutableRawPointer?) -> MultiHandle? {
        // The handle owns the libcurl handle that calls.
        context.map { Unmanaged<MultiHandle>.fromOpaque($0).takeUnretainedValue() }
    }
}
