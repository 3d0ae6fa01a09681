import CEpoll
import Glibc

/// Waits for sockets, for a time, or for `wake`: epoll and an eventfd.
final class Poller: @unchecked Sendable {
    // Guard: all but `wake` is for one thread.

    typealias Events = WatchedSocketsStateMachine.Events

    /// Most sockets that one `wait` tells of; the next one tells of the others.
    private static let maximumEvents = 256

    private let epoll: Int32
    private let wakeUps: Int32
    private let ready = UnsafeMutablePointer<epoll_event>.allocate(capacity: maximumEvents)

    /// nil when the process may open no more files.
    init?() {
        self.epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        self.wakeUps = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        self.ready.initialize(repeating: epoll_event(), count: Self.maximumEvents)
        guard self.epoll >= 0, self.wakeUps >= 0, self.control(EPOLL_CTL_ADD, self.wakeUps, .read) else { return nil }
    }

    deinit {
        if self.epoll >= 0 { close(self.epoll) }
        if self.wakeUps >= 0 { close(self.wakeUps) }
        self.ready.deallocate()
    }

    /// Ends the `wait` there is, or the next one; for any thread.
    func wake() {
        eventfd_write(self.wakeUps, 1)
    }

    /// Tells the kernel what to watch.
    func act(_ action: WatchedSocketsStateMachine.Action, on descriptor: Int32) {
        switch action {
        case .none: break
        case .add(let events): _ = self.control(EPOLL_CTL_ADD, descriptor, events)
        case .modify(let events): _ = self.control(EPOLL_CTL_MOD, descriptor, events)
        case .remove: _ = self.control(EPOLL_CTL_DEL, descriptor, [])
        }
    }

    /// Waits until something has happened, for a time in milliseconds at most, and gives what it was, by socket. No
    /// events: who waits for it has to look, since the connection has failed.
    func wait(milliseconds: Int32, _ happened: (Int32, Events) -> Void) {
        let count = epoll_wait(self.epoll, self.ready, Int32(Self.maximumEvents), milliseconds)
        // Negative when a signal has interrupted it.
        for index in 0..<Int(max(count, 0)) {
            let (descriptor, events) = (self.ready[index].data.fd, self.ready[index].events)
            guard descriptor != self.wakeUps else {
                var number: eventfd_t = 0
                eventfd_read(self.wakeUps, &number)
                continue
            }
            var told: Events = []
            if events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) == 0 {
                if events & EPOLLIN.rawValue != 0 { told.insert(.read) }
                if events & EPOLLOUT.rawValue != 0 { told.insert(.write) }
            }
            happened(descriptor, told)
        }
    }

    private func control(_ operation: Int32, _ descriptor: Int32, _ events: Events) -> Bool {
        var event = epoll_event()
        if events.contains(.read) { event.events |= EPOLLIN.rawValue }
        if events.contains(.write) { event.events |= EPOLLOUT.rawValue }
        event.data.fd = descriptor
        return epoll_ctl(self.epoll, operation, descriptor, &event) == 0
    }
}
