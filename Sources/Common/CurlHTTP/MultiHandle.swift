import CCurl

/// One libcurl multi handle: it makes connections and keeps them. All is for the loop's thread.
final class MultiHandle {
    /// Most connections. libcurl goes through all of its multi handle's whenever one of them moves bytes over TLS.
    static let maximumLinks = 64

    /// Its number among `MultiHandles`.
    let number: Int
    private let raw: UnsafeMutableRawPointer
    private(set) var links = 0
    /// When its last connection was closed, or the handle was made, in milliseconds of the monotonic clock.
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
        // More than there are, so that libcurl closes none to make room.
        _ = ccurl_multi_set_long(raw, CURLMOPT_MAXCONNECTS, 2 * Self.maximumLinks)
        self.watch()
    }

    deinit {
        curl_multi_cleanup(self.raw)
    }

    /// Begins to connect; whether libcurl took it.
    func add(_ link: UnsafeMutableRawPointer) -> Bool {
        guard curl_multi_add_handle(self.raw, link) == CURLM_OK else { return false }
        self.links += 1
        return true
    }

    /// Closes a connection, or gives up making it.
    func remove(_ link: UnsafeMutableRawPointer) {
        curl_multi_remove_handle(self.raw, link)
        self.links -= 1
        self.idleSince = self.loop.now
    }

    /// A link that is connected, or is not, and how; nil when there is no other one.
    func nextCompletion() -> (link: UnsafeMutableRawPointer, code: CURLcode)? {
        var left: Int32 = 0
        while let message = curl_multi_info_read(self.raw, &left) {
            if message.pointee.msg == CURLMSG_DONE, let link = message.pointee.easy_handle {
                return (link, message.pointee.data.result)
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
