// How long transfers, and connections without one, may take.
extension CurlLoop {
    /// Ends transfers whose limits have passed or whose group was cancelled, and closes connections that nobody needs.
    func sweepIfDue() {
        guard self.now >= self.nextSweep else { return }
        self.nextSweep = self.now + Self.sweepMilliseconds
        for connection in self.idle.removeOld(at: self.now) { self.drop(connection) }
        self.multis.dropIdle(at: self.now)
        for connection in self.connections.all {
            guard let transfer = connection.transfer, let failure = self.overdue(transfer, connection) else { continue }
            self.finish(connection, .failure(failure))
        }
    }

    private func overdue(_ transfer: Transfer, _ connection: HTTPConnection) -> HTTPTransferError? {
        if transfer.isCancelled {
            return .cancelled(mayHaveBeenSent: connection.mayHaveBeenSent)
        }
        let limits = transfer.request.limits
        if let pausedAt = transfer.pausedAt {
            // What waits for memory goes on by itself; who paused its own transfer must not keep the engine for ever.
            guard transfer.request.control != nil, self.now - pausedAt > limits.betweenBytes.wholeMilliseconds else {
                return nil
            }
            return .timeout(.paused, limits, mayHaveBeenSent: connection.mayHaveBeenSent)
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
        return .timeout(phase, limits, mayHaveBeenSent: connection.mayHaveBeenSent)
    }
}
