// How an answer comes in.
extension HTTPConnection {
    /// Buffers read before others get their turn.
    private static let maximumReads = 8
    /// Most bytes reserved because an answer announces them.
    private static let maximumReservedBytes = 1 << 20

    /// Receives what has come.
    func receive() {
        let buffer = self.loop.buffer
        for _ in 0..<Self.maximumReads {
            guard self.transfer != nil, !self.isAnswerPaused else { return }
            switch self.link.receive(buffer) {
            case .moved(let count):
                guard self.read(UnsafeRawBufferPointer(rebasing: buffer[..<count])) else { return }
                // The socket tells when there is more; what TLS has taken from it already does not.
                if count < buffer.count, !self.link.isSecure { return }
            case .blocked: return
            case .ended: return self.connectionEnded(nil)
            case .failed(let reason): return self.connectionEnded(reason)
            }
        }
        self.loop.lookAgain(at: self)
    }

    /// Reads bytes of the answer; whether to go on.
    func read(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let transfer else { return false }
        guard !self.isAnswered else {
            if !bytes.isEmpty { self.hasExcess = true }
            return true
        }
        transfer.hasFirstByte = true
        transfer.lastByteAt = self.loop.now
        var rest = bytes
        while true {
            let step: ResponseParser.Step
            do throws(MalformedResponse) {
                step = try self.parser.next(rest)
            } catch {
                self.fail(.malformedResponse, error.message)
                return false
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[step.consumed...])
            switch step.event {
            case nil: return true
            case .head: self.headCame(transfer)
            case .body(let count):
                guard self.offer(rest, count, to: transfer) else { return false }
                self.parser.took(count)
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            case .end:
                self.hasExcess = !rest.isEmpty
                self.isAnswered = true
                // The rest is still sent, but may be taken for the start of the next request.
                if !self.isSent { self.isCutShort = true }
                self.endIfComplete()
                return false
            }
        }
    }

    private func headCame(_ transfer: Transfer) {
        let head = self.parser.head
        self.loop.touch(transfer)
        transfer.request.onHead?(head.status, head.fields)
        guard head.status >= 300, !self.isSent else { return }
        // Who has refused a request reads no more of it; a pause of its body is over.
        if self.isBodyPaused { self.loop.endPause(of: transfer) }
        self.stopSending()
        self.watch()
    }

    /// The server has closed the connection.
    private func connectionEnded(_ reason: String?) {
        if reason == nil, self.parser.endsWithConnection, !self.isAnswered {
            self.isAnswered = true
            // Nobody reads the rest of the request.
            self.stopSending()
            return self.endIfComplete()
        }
        let why = reason.map { ": \($0)" } ?? ""
        if self.isAnswered {
            self.fail(.send, "the connection was closed before all of the request was sent\(why)")
        } else if let sendFailure, !self.parser.head.hasBegun {
            self.fail(.send, "the connection broke while the request was sent: \(sendFailure)")
        } else if self.parser.head.hasBegun {
            self.fail(.receive, "the connection was closed before the whole answer had come\(why)")
        } else {
            self.fail(.emptyReply, "the connection was closed before an answer came\(why)")
        }
    }

    // MARK: - The body

    /// Offers the first `count` bytes to who takes the answer; whether they were taken.
    private func offer(_ rest: UnsafeRawBufferPointer, _ count: Int, to transfer: Transfer) -> Bool {
        let limit = transfer.request.maximumResponseBytes
        let announced = self.parser.announcedBytes ?? 0
        guard max(announced, count) <= limit - transfer.bodyBytes else {
            self.fail(.responseTooLarge, "the answer is larger than \(limit) bytes")
            return false
        }
        let piece = UnsafeRawBufferPointer(rebasing: rest[..<count])
        do {
            guard case .taken = try self.give(piece, announced, to: transfer) else {
                self.pause(transfer, with: rest)
                return false
            }
        } catch {
            self.fail(.callback, "the answer could not be taken: \(error)")
            return false
        }
        transfer.bodyBytes += count
        return true
    }

    private func give(_ piece: UnsafeRawBufferPointer, _ announced: Int, to transfer: Transfer) throws -> HTTPBodyAnswer
    {
        if let onBody = transfer.request.onBody {
            self.loop.touch(transfer)
            return try onBody(piece)
        }
        guard self.loop.mayGather(piece.count, self) else { return .pause }
        if transfer.body.isEmpty { transfer.body.reserveCapacity(min(announced, Self.maximumReservedBytes)) }
        transfer.body.append(contentsOf: piece)
        return .taken
    }

    /// Keeps what could not be taken, and reads no more until it is.
    private func pause(_ transfer: Transfer, with rest: UnsafeRawBufferPointer) {
        self.held = Array(rest)
        self.isAnswerPaused = true
        transfer.pausedAt = self.loop.now
        self.watch()
    }
}
