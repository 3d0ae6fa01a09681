import Glibc

/// A connection to a server, and the exchange of a request and its answer that runs on it. For the loop's thread.
final class HTTPConnection {
    /// Its number among the connections there are.
    let id: Int
    let origin: Origin<HTTPConnection>
    let link: CurlLink
    let loop: CurlLoop
    private(set) var isClosed = false
    /// It goes on in the next turn.
    var isLookedAtAgain = false
    /// What is watched for on its socket.
    private var watched: WatchedSocketsStateMachine.Events = []

    // MARK: The exchange

    private(set) var transfer: Transfer?
    private var target: RequestTarget?
    var parser = ResponseParser()
    var unsent = OutgoingBytes()
    /// Of a body that comes piece by piece: bytes not yet asked for.
    var bodyLeft: Int64 = 0
    /// Bytes of the request that the socket took.
    var sentBytes = 0
    /// There is nothing more to send, or nobody who would read it.
    var isSent = false
    /// Not all of the request was sent before its answer had come: nobody might read the rest as a part of it.
    var isCutShort = false
    /// Why the socket took no more.
    var sendFailure: String?
    /// The socket has no room.
    var isBlocked = false
    /// The sender has no bytes of the body yet.
    var isBodyPaused = false
    /// The answer is complete.
    var isAnswered = false
    /// Bytes of the answer that could not be taken yet.
    var held: [UInt8] = []
    var isAnswerPaused = false
    /// There may be memory for them now.
    var hasMemory = false
    /// The server has said more than its answer.
    var hasExcess = false

    init(id: Int, origin: Origin<HTTPConnection>, link: CurlLink, loop: CurlLoop) {
        self.id = id
        self.origin = origin
        self.link = link
        self.loop = loop
    }

    /// Whether bytes of the request may have reached the server.
    var mayHaveBeenSent: Bool { self.sentBytes > 0 }

    /// Takes a transfer, which waits for `start`.
    func take(_ transfer: Transfer, _ target: RequestTarget) {
        self.transfer = transfer
        self.target = target
        transfer.connection = self
        self.parser = ResponseParser(toHead: transfer.request.method == .head)
        (self.bodyLeft, self.sentBytes) = (0, 0)
        (self.isSent, self.isCutShort, self.sendFailure) = (false, false, nil)
        (self.isBlocked, self.isBodyPaused) = (false, false)
        (self.isAnswered, self.hasExcess) = (false, false)
        (self.isAnswerPaused, self.hasMemory) = (false, false)
    }

    /// Sends the request of the transfer. The connection is there.
    func start() {
        guard let transfer, let target else { return }
        do throws(HTTPTransferError) {
            try RequestWriter.write(transfer.request, to: target, into: &self.unsent)
        } catch {
            // Nothing was sent: the next request may use the connection.
            return self.loop.finish(self, .failure(error), isReusable: true)
        }
        if case .stream(let length, _) = transfer.request.body { self.bodyLeft = max(length, 0) }
        self.send()
    }

    /// Ends the exchange, whatever has become of it.
    func release() -> Transfer? {
        let transfer = self.transfer
        transfer?.connection = nil
        self.transfer = nil
        self.target = nil
        self.unsent.removeAll()
        self.held = []
        return transfer
    }

    /// Closes it.
    func close() {
        self.isClosed = true
        self.link.close()
    }

    /// Whether it can take a request: the server has not closed it, nor said anything unasked.
    var isAlive: Bool {
        guard !self.isClosed else { return false }
        return withUnsafeTemporaryAllocation(byteCount: 1, alignment: 1) { byte in
            if case .blocked = self.link.receive(byte) { true } else { false }
        }
    }

    /// Something has happened on its socket. No events: it has failed.
    func happened(_ events: WatchedSocketsStateMachine.Events) {
        guard self.transfer != nil else {
            if !self.isAlive { self.loop.drop(self) }
            return
        }
        // What has failed tells so again until it is not watched for: both find out, unless they have no use for it.
        if events.isEmpty || events.contains(.write) { self.send() }
        if events.isEmpty || events.contains(.read) { self.receive() }
    }

    /// Goes on where sending or receiving was left.
    func goOn() {
        guard self.transfer != nil else { return }
        if self.hasMemory {
            self.hasMemory = false
            return self.resume()
        }
        self.receive()
        self.send()
    }

    /// Goes on with what was paused.
    func resume() {
        let (transfer, held) = (self.transfer, self.held)
        self.held = []
        (self.isAnswerPaused, self.isBodyPaused) = (false, false)
        // Without bytes nothing of the answer has come.
        if held.isEmpty || held.withUnsafeBytes({ self.read($0) }) { self.receive() }
        guard self.transfer === transfer else { return }
        self.watch()
        self.send()
    }

    /// Has the loop watch for what it waits for.
    func watch() {
        guard !self.isClosed else { return }
        var events: WatchedSocketsStateMachine.Events = []
        if !self.isAnswerPaused { events.insert(.read) }
        if self.isBlocked { events.insert(.write) }
        guard events != self.watched else { return }
        self.watched = events
        self.loop.watch(self.link.socket, for: events, of: self.id)
    }

    /// Ends the exchange when all was sent and all has come.
    func endIfComplete() {
        guard self.isSent, self.isAnswered, let transfer else { return }
        let response = HTTPResponse(
            status: self.parser.head.status,
            headers: self.parser.head.fields,
            body: transfer.body
        )
        let isReusable = self.parser.head.isPersistent && !self.isCutShort && !self.hasExcess
        self.loop.finish(self, .success(response), isReusable: isReusable)
    }

    /// Ends the exchange without a whole answer.
    func fail(_ code: HTTPTransferError.Code, _ message: String) {
        let error = HTTPTransferError(code, mayHaveBeenSent: self.mayHaveBeenSent, message: message)
        self.loop.finish(self, .failure(error), isReusable: false)
    }
}
