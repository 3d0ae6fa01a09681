import CCurl
import Glibc
import Synchronization

/// The client's thread: owns the multi handles of libcurl and all connections.
final class CurlLoop: @unchecked Sendable {
    // Guard: all is used by the loop's thread only, but `inbox`, `thread`, `loopThread` and the poller's `wake`.

    /// How often limits and groups are looked at, in milliseconds.
    static let sweepMilliseconds: Int64 = 100
    /// How long the thread sleeps when there is nothing to do, in milliseconds.
    private static let idleMilliseconds: Int32 = 60_000
    private static let maximumIdleConnections = 1_024
    private static let bufferBytes = 64 << 10

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
    /// What answers are received into, before they are given on.
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bufferBytes, alignment: 16)
    let certificateAuthorities: String?
    /// nil when there was no memory: then nothing is shared.
    let share = CurlShare()
    /// By number; nil: free to be used again.
    var connections = Slots<HTTPConnection>()
    private var connecting: [UnsafeMutableRawPointer: HTTPConnection] = [:]
    var idle = IdleConnections<HTTPConnection>(maximum: maximumIdleConnections)
    private var targets = RequestTargets<HTTPConnection>()
    private var gathered: GatherBudget<Int>
    /// Those that have more to do than they did in their turn.
    private(set) var again: [HTTPConnection] = []
    /// Whose `onTurn` is to be called at the end of this turn.
    private var touched: [Transfer] = []
    var nextSweep: Int64 = 0
    /// Milliseconds of the monotonic clock, read once a turn.
    var now: Int64 = 0

    init(_ configuration: CurlClient.Configuration) {
        _ = Self.isInitialised
        self.gathered = GatherBudget(maximumBytes: configuration.maximumGatheredBytes)
        self.certificateAuthorities = configuration.certificateAuthorities
        self.poller = Poller()
    }

    deinit {
        self.buffer.deallocate()
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
        self.post { $0.isShutDown ? () : $0.resumed.append(transfer) }
    }

    /// Ends a transfer, if it has not ended.
    func cancel(_ transfer: Transfer) {
        self.post { $0.isShutDown ? () : $0.cancelled.append(transfer) }
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
        Self.blockBrokenPipeSignal()
        while self.takeInbox() {
            // First, since libcurl closes a connection that nobody uses yet and that has something to read, such as what
            // TLS says behind its handshake, when it begins to make others.
            self.takeConnected()
            for multi in self.multis.all { multi?.driveTimer(at: self.now) }
            self.takeConnected()
            self.goOn()
            self.sweepIfDue()
            self.endTurn()
            self.wait()
        }
        for connection in self.connections.all {
            if connection.transfer == nil {
                self.drop(connection)
            } else {
                self.finish(connection, .failure(.shutDown))
            }
        }
        self.multis.removeAll()
        // They hold the loop.
        self.again = []
        self.touched = []
    }

    /// libcurl's writes over TLS raise SIGPIPE when the connection is broken (see CURLOPT_NOSIGNAL), which ends a program
    /// that does not ignore it.
    private static func blockBrokenPipeSignal() {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
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
            guard let connection = transfer.connection else { continue }
            self.finish(connection, .failure(.cancelled(mayHaveBeenSent: connection.mayHaveBeenSent)))
        }
        for transfer in inbox.resumed {
            // Before it goes on: who finds it paused again asks again.
            transfer.isToResume.store(false, ordering: .releasing)
            if let connection = transfer.connection { self.resume(connection) }
        }
        if inbox.wantsSweep { self.nextSweep = 0 }
        return !inbox.isShutDown
    }

    /// Waits for sockets, for libcurl's time and the next sweep, or until there is something in the inbox.
    private func wait() {
        let isBusy = self.connections.count > self.idle.count
        var milliseconds = isBusy ? Int32(Self.sweepMilliseconds) : Self.idleMilliseconds
        if !self.again.isEmpty { milliseconds = 0 }
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
        transfer.startedAt = self.now
        transfer.lastByteAt = self.now
        do throws(HTTPTransferError) {
            let request = transfer.request
            let (target, origin) = try self.targets.target(of: request.url)
            guard request.headers.allSatisfy(\.isSafe) else { throw .unsendable("header field") }
            if let connection = self.takeIdle(origin) {
                connection.take(transfer, target)
                connection.start()
            } else {
                try self.connect(to: origin, within: request.limits.connect).take(transfer, target)
            }
        } catch {
            transfer.end(.failure(error))
        }
    }

    private func takeIdle(_ origin: Origin<HTTPConnection>) -> HTTPConnection? {
        while let connection = self.idle.take(origin) {
            if connection.isAlive { return connection }
            self.drop(connection)
        }
        return nil
    }

    private func connect(
        to origin: Origin<HTTPConnection>,
        within limit: Duration
    ) throws(HTTPTransferError) -> HTTPConnection {
        let multi = self.multis.withRoom { MultiHandle($0, loop: self) }
        let link = CurlLink(to: origin.url, within: limit.wholeMilliseconds, loop: self)
        guard let multi, let link, link.connect(in: multi) else {
            throw HTTPTransferError(.other, mayHaveBeenSent: false, message: "no memory for another connection")
        }
        let connection = self.connections.insert { HTTPConnection(id: $0, origin: origin, link: link, loop: self) }
        self.connecting[link.raw] = connection
        return connection
    }

    private var isShutDown: Bool { self.inbox.withLock { $0.isShutDown } }

    /// Begins the exchanges whose connections are there.
    private func takeConnected() {
        guard !self.connecting.isEmpty else { return }
        for multi in self.multis.all {
            while let (raw, code) = multi?.nextCompletion() {
                guard let connection = self.connecting.removeValue(forKey: raw) else { continue }
                do throws(HTTPTransferError) {
                    try connection.link.connected(code)
                    connection.start()
                } catch {
                    self.finish(connection, .failure(error))
                }
            }
        }
    }

    /// Has a connection go on in the next turn, which begins at once.
    func lookAgain(at connection: HTTPConnection) {
        guard !connection.isLookedAtAgain else { return }
        connection.isLookedAtAgain = true
        self.again.append(connection)
    }

    private func goOn() {
        guard !self.again.isEmpty else { return }
        let again = self.again
        self.again = []
        for connection in again {
            connection.isLookedAtAgain = false
            connection.goOn()
        }
    }

    /// Ends the transfer of a connection, and keeps the connection for the next one or closes it.
    func finish(
        _ connection: HTTPConnection,
        _ result: Result<HTTPResponse, HTTPTransferError>,
        isReusable: Bool = false
    ) {
        guard let transfer = connection.release() else { return }
        // Before the callback, which may begin the next transfer on this connection.
        let resumed = self.gathered.end(connection.id, bytes: transfer.gatheredBytes)
        if isReusable, self.idle.put(connection, of: connection.origin, at: self.now) {
            // Its server may close it.
            connection.watch()
        } else {
            self.drop(connection)
        }
        transfer.end(result)
        for id in resumed {
            guard let connection = self.connections[id], let transfer = connection.transfer else { continue }
            self.endPause(of: transfer)
            connection.hasMemory = true
            self.lookAgain(at: connection)
        }
    }

    /// Closes a connection that has no transfer.
    func drop(_ connection: HTTPConnection) {
        self.idle.remove(connection, of: connection.origin)
        self.connecting[connection.link.raw] = nil
        self.connections.remove(connection.id)
        connection.close()
    }

    /// A callback of a transfer was called.
    func touch(_ transfer: Transfer) {
        guard !transfer.isTouched, transfer.request.onTurn != nil else { return }
        transfer.isTouched = true
        self.touched.append(transfer)
    }

    private func endTurn() {
        // What is begun meanwhile may be touched too, and is at the end.
        var index = 0
        while index < self.touched.count {
            let transfer = self.touched[index]
            index += 1
            transfer.isTouched = false
            if transfer.connection != nil { transfer.request.onTurn?() }
        }
        self.touched.removeAll(keepingCapacity: true)
    }

    /// Whether there is memory for these bytes of an answer; otherwise the transfer pauses.
    func mayGather(_ count: Int, _ connection: HTTPConnection) -> Bool {
        self.gathered.take(count, of: connection.id)
    }

    private func resume(_ connection: HTTPConnection) {
        guard let transfer = connection.transfer, transfer.pausedAt != nil else { return }
        self.endPause(of: transfer)
        connection.resume()
    }

    /// A pause is not the server's: its limits stand still.
    func endPause(of transfer: Transfer) {
        guard let pausedAt = transfer.pausedAt else { return }
        transfer.startedAt += self.now - pausedAt
        transfer.lastByteAt = self.now
        transfer.pausedAt = nil
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
