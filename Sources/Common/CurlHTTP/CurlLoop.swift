import CCurl
import Glibc
import Synchronization

/// The client's thread: owns the multi handles and all easy handles.
final class CurlLoop: @unchecked Sendable {
    // Guard: all is used by the loop's thread only, but `inbox`, `thread`, `loopThread` and the poller's `wake`.

    /// How often limits and groups are looked at, in milliseconds.
    private static let sweepMilliseconds: Int64 = 100
    /// How long the thread sleeps when there is nothing to do, in milliseconds.
    private static let idleMilliseconds: Int32 = 60_000
    private static let maximumIdleHandles = 1_024

    /// libcurl's global state; made once in a process.
    private static let isInitialised = ccurl_global_init() == CURLE_OK

    private struct Inbox {
        var transfers: [Transfer] = []
        var resumed: [Transfer] = []
        var cancelled: [Transfer] = []
        var wantsSweep = false
        var isShutDown = false
        /// The thread waits, or is about to: who puts something here wakes it.
        var isWaiting = false

        var isEmpty: Bool {
            self.transfers.isEmpty && self.resumed.isEmpty && self.cancelled.isEmpty && !self.wantsSweep
                && !self.isShutDown
        }
    }

    private let inbox = Mutex(Inbox())
    private let thread = Mutex<pthread_t?>(nil)
    private let loopThread = Atomic<UInt>(0)
    var multis = MultiHandles()
    let poller: Poller?
    var sockets = WatchedSocketsStateMachine()
    private var idle: [EasyHandle] = []
    private var active: [UnsafeMutableRawPointer: EasyHandle] = [:]
    private var gathered: GatherBudget<UnsafeMutableRawPointer>
    /// Whose `onTurn` is to be called at the end of this turn.
    private var touched: [Transfer] = []
    private var nextSweep: Int64 = 0
    /// Milliseconds of the monotonic clock, read once a turn.
    var now: Int64 = 0

    init(_ configuration: CurlClient.Configuration) {
        _ = Self.isInitialised
        self.gathered = GatherBudget(maximumBytes: configuration.maximumGatheredBytes)
        self.poller = Poller()
    }

    func start() {
        guard self.poller != nil else {
            return self.inbox.withLock { $0.isShutDown = true }
        }
        var handle = pthread_t()
        let context = Unmanaged.passRetained(self)
        let code = pthread_create(
            &handle,
            nil,
            { context in
                guard let context else { return nil }
                let loop = Unmanaged<CurlLoop>.fromOpaque(context).takeRetainedValue()
                loop.run()
                return nil
            },
            context.toOpaque()
        )
        if code == 0 {
            self.thread.withLock { $0 = handle }
        } else {
            context.release()
            self.inbox.withLock { $0.isShutDown = true }
        }
    }

    /// Hands a transfer to the loop; from its own thread the transfer begins at once.
    func submit(_ transfer: Transfer) {
        transfer.request.control?.attach(transfer)
        if self.loopThread.load(ordering: .relaxed) == UInt(pthread_self()) {
            return self.begin(transfer)
        }
        let isTaken = self.post { inbox in
            guard !inbox.isShutDown else { return false }
            inbox.transfers.append(transfer)
            return true
        }
        if !isTaken { transfer.end(.failure(.shutDown)) }
    }

    func sweepNow() {
        self.post { $0.wantsSweep = true }
    }

    /// Has a paused transfer go on.
    func resume(_ transfer: Transfer) {
        guard !transfer.isToResume.exchange(true, ordering: .acquiringAndReleasing) else { return }
        self.post { $0.resumed.append(transfer) }
    }

    /// Ends a transfer, if it has not ended.
    func cancel(_ transfer: Transfer) {
        self.post { $0.cancelled.append(transfer) }
    }

    func shutdown() {
        self.post { $0.isShutDown = true }
        let thread = self.thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        if let thread { pthread_join(thread, nil) }
    }

    /// Puts something into the inbox and has the thread look, if it does not anyway.
    private func post<Result: Sendable>(_ put: (inout Inbox) -> Result) -> Result {
        let (result, isToWake) = self.inbox.withLock { inbox in
            let result = put(&inbox)
            defer { inbox.isWaiting = false }
            return (result, inbox.isWaiting)
        }
        if isToWake { self.poller?.wake() }
        return result
    }
}

// MARK: - The loop's thread

extension CurlLoop {
    private func run() {
        self.loopThread.store(UInt(pthread_self()), ordering: .relaxed)
        while self.takeInbox() {
            for multi in self.multis.all { multi?.driveTimer(at: self.now) }
            // A completion may have started the next transfer: it goes out before anything is waited for.
            let hasCompletions = self.takeCompletions()
            self.endTurn()
            guard !hasCompletions else { continue }
            self.sweepIfDue()
            self.wait()
        }
        for handle in Array(self.active.values) {
            self.finish(handle, .failure(.shutDown))
        }
        self.idle = []
        self.multis.removeAll()
    }

    /// Begins what other threads submitted; false after shutdown.
    private func takeInbox() -> Bool {
        self.now = Self.monotonicMilliseconds()
        let inbox = self.inbox.withLock { inbox in
            defer {
                inbox.transfers = []
                inbox.resumed = []
                inbox.cancelled = []
                inbox.wantsSweep = false
                inbox.isWaiting = false
            }
            return inbox
        }
        for transfer in inbox.transfers {
            if inbox.isShutDown { transfer.end(.failure(.shutDown)) } else { self.begin(transfer) }
        }
        for transfer in inbox.cancelled {
            guard let handle = transfer.handle else { continue }
            self.finish(handle, .failure(.cancelled(mayHaveBeenSent: handle.mayHaveBeenSent)))
        }
        // What has failed meanwhile says why itself: libcurl does not resume it.
        if !inbox.resumed.isEmpty { _ = self.takeCompletions() }
        for transfer in inbox.resumed {
            // Before it goes on: who finds it paused again asks again.
            transfer.isToResume.store(false, ordering: .releasing)
            if let handle = transfer.handle { self.resume(handle.raw) }
        }
        if inbox.wantsSweep { self.nextSweep = 0 }
        return !inbox.isShutDown
    }

    /// Waits for sockets, for libcurl's time and the next sweep, or until there is something in the inbox.
    private func wait() {
        var milliseconds = self.active.isEmpty ? Self.idleMilliseconds : Int32(Self.sweepMilliseconds)
        if let timer = self.multis.timer { milliseconds = min(milliseconds, Int32(clamping: max(timer - self.now, 0))) }
        let mayWait = self.inbox.withLock { inbox in
            inbox.isWaiting = inbox.isEmpty
            return inbox.isWaiting
        }
        self.drive(waiting: mayWait ? milliseconds : 0)
    }

    private func begin(_ transfer: Transfer) {
        guard !self.isShutDown else { return transfer.end(.failure(.shutDown)) }
        guard !transfer.isCancelled else {
            return transfer.end(.failure(.cancelled(mayHaveBeenSent: false)))
        }
        let multi = self.multis.withRoom(for: transfer.request.url) { MultiHandle($0, loop: self) }
        guard let multi, let handle = self.idle.popLast() ?? EasyHandle(loop: self) else {
            return transfer.end(.failure(HTTPTransferError(.other, mayHaveBeenSent: false, message: "no memory")))
        }
        transfer.startedAt = self.now
        transfer.lastByteAt = self.now
        do throws(HTTPTransferError) {
            try handle.prepare(transfer)
        } catch {
            handle.reset()
            self.idle.append(handle)
            return transfer.end(.failure(error))
        }
        guard multi.add(handle) else {
            handle.reset()
            return transfer.end(
                .failure(HTTPTransferError(.other, mayHaveBeenSent: false, message: "libcurl took no more transfers"))
            )
        }
        self.active[handle.raw] = handle
    }

    private var isShutDown: Bool { self.inbox.withLock { $0.isShutDown } }

    /// Finishes transfers that have ended; whether there were any.
    private func takeCompletions() -> Bool {
        var any = false
        for multi in self.multis.all {
            while let (raw, code) = multi?.nextCompletion() {
                guard let handle = self.active[raw] else { continue }
                any = true
                self.finish(handle, handle.result(code))
            }
        }
        return any
    }

    private func finish(_ handle: EasyHandle, _ result: Result<HTTPResponse, HTTPTransferError>) {
        handle.multi?.remove(handle)
        self.active[handle.raw] = nil
        let transfer = handle.transfer
        // Before the callback, which may begin the next transfer on this handle.
        let resumed = self.gathered.end(handle.raw, bytes: transfer?.gatheredBytes ?? 0)
        handle.reset()
        if self.idle.count < Self.maximumIdleHandles { self.idle.append(handle) }
        transfer?.end(result)
        for raw in resumed { self.resume(raw) }
    }

    /// A callback of a transfer was called.
    func touch(_ transfer: Transfer) {
        guard !transfer.isTouched, transfer.request.onTurn != nil else { return }
        transfer.isTouched = true
        self.touched.append(transfer)
    }

    private func endTurn() {
        guard !self.touched.isEmpty else { return }
        for transfer in self.touched {
            transfer.isTouched = false
            if transfer.handle != nil { transfer.request.onTurn?() }
        }
        self.touched.removeAll(keepingCapacity: true)
    }

    /// Whether there is memory for these bytes of an answer; otherwise the transfer pauses.
    func mayGather(_ count: Int, _ handle: EasyHandle) -> Bool {
        self.gathered.take(count, of: handle.raw)
    }

    private func resume(_ raw: UnsafeMutableRawPointer) {
        guard let handle = self.active[raw], let transfer = handle.transfer, let pausedAt = transfer.pausedAt else {
            return
        }
        // The pause is not the server's: its limits stand still.
        transfer.startedAt += self.now - pausedAt
        transfer.lastByteAt = self.now
        transfer.pausedAt = nil
        let code = ccurl_resume(raw)
        if code != CURLE_OK { self.finish(handle, handle.result(code)) }
    }

    /// Ends transfers whose limits have passed or whose group was cancelled, and closes connections that nobody needs.
    private func sweepIfDue() {
        guard self.now >= self.nextSweep else { return }
        self.nextSweep = self.now + Self.sweepMilliseconds
        self.multis.dropIdle(at: self.now)
        for handle in Array(self.active.values) {
            guard let transfer = handle.transfer, let failure = self.overdue(transfer, handle) else { continue }
            self.finish(handle, .failure(failure))
        }
    }

    private func overdue(_ transfer: Transfer, _ handle: EasyHandle) -> HTTPTransferError? {
        if transfer.isCancelled {
            return .cancelled(mayHaveBeenSent: handle.mayHaveBeenSent)
        }
        let limits = transfer.request.limits
        if let pausedAt = transfer.pausedAt {
            // What waits for memory goes on by itself; who paused its own transfer must not keep the engine for ever.
            guard transfer.request.control != nil, self.now - pausedAt > limits.betweenBytes.wholeMilliseconds else {
                return nil
            }
            return .timeout(.paused, limits, mayHaveBeenSent: handle.mayHaveBeenSent)
        }
        let phase: HTTPTransferError.Phase
        if let total = limits.total, self.now - transfer.startedAt > total.wholeMilliseconds {
            phase = .total
        } else if !transfer.hasFirstByte, self.now - transfer.startedAt > limits.firstByte.wholeMilliseconds {
            phase = .firstByte
        } else if transfer.hasFirstByte, self.now - transfer.lastByteAt > limits.betweenBytes.wholeMilliseconds {
            phase = .betweenBytes
        } else {
            return nil
        }
        return .timeout(phase, limits, mayHaveBeenSent: handle.mayHaveBeenSent)
    }

    static func monotonicMilliseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
    }
}

extension Duration {
    var wholeMilliseconds: Int64 {
        let (seconds, attoseconds) = self.components
        return seconds.multipliedReportingOverflow(by: 1_000).overflow
            ? .max : seconds * 1_000 + attoseconds / 1_000_000_000_000_000
    }
}

extension HTTPTransferError {
    static let shutDown = HTTPTransferError(.shutDown, mayHaveBeenSent: true, message: "the HTTP client was shut down")

    static func cancelled(mayHaveBeenSent: Bool) -> HTTPTransferError {
        HTTPTransferError(.cancelled, mayHaveBeenSent: mayHaveBeenSent, message: "cancelled")
    }

    static func timeout(_ phase: Phase, _ limits: TransferLimits, mayHaveBeenSent: Bool) -> HTTPTransferError {
        let message =
            switch phase {
            case .connect: "no connection within \(limits.connect)"
            case .firstByte: "no answer within \(limits.firstByte)"
            case .betweenBytes: "nothing more came for \(limits.betweenBytes)"
            case .total: "not finished within \(limits.total ?? .zero)"
            case .paused: "the sender of the request did not go on for \(limits.betweenBytes)"
            }
        return HTTPTransferError(.timeout(phase), mayHaveBeenSent: mayHaveBeenSent, message: message)
    }
}
