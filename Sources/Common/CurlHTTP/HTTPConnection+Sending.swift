// How a request goes out.
extension HTTPConnection {
    /// Most bytes of a body asked for at once.
    private static let pieceBytes = 64 << 10
    /// Pieces sent before others get their turn.
    private static let maximumPieces = 16

    /// Sends what there is, until there is no more of it or no room.
    func send() {
        guard !self.isSent, !self.isBodyPaused, self.transfer != nil else { return }
        for _ in 0..<Self.maximumPieces {
            guard self.sendBytes() else { return self.watch() }
            guard self.bodyLeft > 0 else {
                self.isSent = true
                self.watch()
                return self.endIfComplete()
            }
            guard self.askForBody() else { return self.watch() }
        }
        self.loop.lookAgain(at: self)
    }

    /// Sends the bytes that are there; whether that were all.
    private func sendBytes() -> Bool {
        self.isBlocked = false
        while !self.unsent.isEmpty {
            switch self.link.send(self.unsent.unsent) {
            case .moved(let count):
                self.sentBytes += count
                self.unsent.sent(count)
            case .blocked, .ended:
                self.isBlocked = true
                return false
            case .failed(let reason):
                self.sendingFailed(reason)
                return false
            }
        }
        return true
    }

    /// Asks for more of the body; whether there is some.
    private func askForBody() -> Bool {
        guard let transfer, case .stream(_, let read) = transfer.request.body else { return false }
        self.loop.touch(transfer)
        // A slow upload is not a slow answer.
        transfer.startedAt = self.loop.now
        let wanted = Int(clamping: min(self.bodyLeft, Int64(Self.pieceBytes)))
        do {
            guard let count = try self.unsent.fill(upTo: wanted, read) else {
                self.isBodyPaused = true
                transfer.pausedAt = self.loop.now
                return false
            }
            guard (1...wanted).contains(count) else {
                self.fail(.callback, "the request body is not as long as was said")
                return false
            }
            self.bodyLeft -= Int64(count)
            return true
        } catch {
            self.fail(.callback, "the request body could not be read: \(error)")
            return false
        }
    }

    /// What the server has said already, or says yet, may tell why it takes no more.
    private func sendingFailed(_ reason: String) {
        guard self.mayHaveBeenSent else { return self.fail(.send, reason) }
        self.sendFailure = reason
        self.stopSending()
        // Not here: this may be called while the loop's buffer holds a piece of another answer.
        self.loop.lookAgain(at: self)
    }

    /// Sends no more, though there is more; the connection cannot be used again.
    func stopSending() {
        self.isSent = true
        self.isCutShort = true
        self.isBodyPaused = false
        self.isBlocked = false
        self.bodyLeft = 0
        self.unsent.removeAll()
    }
}
