import Testing

@testable import ProtoTLS

/// The rules of a connection, event by event.
struct TLSConnectionStateMachineTests {
    private func open() -> TLSConnectionStateMachine {
        var machine = TLSConnectionStateMachine(maximumHeldBytes: 10)
        _ = machine.start()
        _ = machine.handshakeCompleted()
        return machine
    }

    @Test("G6-10 the handshake begins once")
    func start() {
        var machine = TLSConnectionStateMachine(maximumHeldBytes: 10)
        #expect(!machine.takesInput)
        let starts = [machine.start(), machine.start()]
        #expect(starts == [true, false])
        #expect(machine.takesInput && machine.readsForItself && !machine.deliversContent)
        #expect(machine.handshakeCompleted() == .open(closeOutput: false))
        #expect(machine.handshakeCompleted() == .ignore)
        #expect(machine.deliversContent && !machine.readsForItself)
    }

    @Test("G6-11 the bound of held bytes is for all of them together")
    func held() {
        var machine = TLSConnectionStateMachine(maximumHeldBytes: 10)
        #expect(machine.write(bytes: 6) == .hold)
        _ = machine.start()
        #expect(machine.write(bytes: 4) == .hold)
        #expect(machine.write(bytes: 0) == .hold)
        guard case .fail(let error) = machine.write(bytes: 1) else {
            Issue.record("an eleventh byte is held")
            return
        }
        #expect(error.code == .tooMuchHeld)
        // The answer is for the shell to act on; the bound does not overflow meanwhile.
        guard case .fail = machine.write(bytes: .max) else {
            Issue.record("any number of bytes is held")
            return
        }
    }

    @Test("G6-10 what is written after the handshake is encrypted, after a close refused")
    func write() {
        var machine = self.open()
        #expect(machine.write(bytes: 1_000_000) == .encrypt)
        _ = machine.closeOutput()
        #expect(machine.write(bytes: 1) == .refuse)
        var closing = self.open()
        _ = closing.close()
        #expect(closing.write(bytes: 1) == .refuse)
        var failed = self.open()
        _ = failed.failed()
        #expect(failed.write(bytes: 1) == .refuse)
    }

    @Test("G6-10 an output that is closed in the handshake is closed after it")
    func closeOutputEarly() {
        var machine = TLSConnectionStateMachine(maximumHeldBytes: 10)
        _ = machine.start()
        #expect(machine.closeOutput() == .later)
        #expect(machine.closeOutput() == .refuse)
        #expect(machine.write(bytes: 1) == .refuse)
        #expect(machine.handshakeCompleted() == .open(closeOutput: true))
        #expect(machine.closeOutput() == .sendNotify)
        #expect(machine.deliversContent)
    }

    @Test("G6-10 the peer's close_notify ends the input, or all")
    func closeNotify() {
        var machine = self.open()
        #expect(machine.closeNotifyReceived(halfClosureIsAllowed: true) == .announceHalfClosure)
        #expect(!machine.takesInput)
        #expect(machine.closeNotifyReceived(halfClosureIsAllowed: true) == .ignore)
        #expect(machine.write(bytes: 1) == .encrypt)
        #expect(machine.endOfBytes() == .ignore)
        #expect(machine.closeOutput() == .sendNotifyAndClose)
        #expect(machine.phase == .closed)

        machine = self.open()
        #expect(machine.closeNotifyReceived(halfClosureIsAllowed: false) == .answerAndClose)
        #expect(machine.phase == .closed)

        machine = self.open()
        _ = machine.closeOutput()
        #expect(machine.closeNotifyReceived(halfClosureIsAllowed: true) == .close)

        machine = TLSConnectionStateMachine(maximumHeldBytes: 10)
        #expect(machine.closeNotifyReceived(halfClosureIsAllowed: true) == .ignore)
    }

    @Test("T-26 an end of the bytes is a truncation only while content could still come")
    func endOfBytes() {
        var machine = TLSConnectionStateMachine(maximumHeldBytes: 10)
        #expect(machine.endOfBytes() == .ignore)
        _ = machine.start()
        self.expect(machine.endOfBytes(), .closed)
        #expect(machine.endOfBytes() == .ignore)

        machine = self.open()
        self.expect(machine.endOfBytes(), .truncated)
        #expect(machine.endOfBytes() == .ignore)

        machine = self.open()
        _ = machine.closeOutput()
        self.expect(machine.endOfBytes(), .truncated)

        machine = self.open()
        _ = machine.close()
        #expect(machine.endOfBytes() == .close)
    }

    @Test("G6-10 a close sends close_notify once and waits for the peer's unless it is here")
    func close() {
        var machine = TLSConnectionStateMachine(maximumHeldBytes: 10)
        #expect(machine.close() == .close)

        machine = TLSConnectionStateMachine(maximumHeldBytes: 10)
        _ = machine.start()
        #expect(machine.close() == .abandonHandshake)
        #expect(machine.close() == .close)

        machine = self.open()
        #expect(machine.close() == .notifyAndWait(sendNotify: true))
        #expect(machine.close() == .join)
        #expect(machine.takesInput && machine.readsForItself && !machine.deliversContent)
        #expect(machine.closeOutput() == .refuse)
        #expect(machine.closeNotifyReceived(halfClosureIsAllowed: true) == .close)
        #expect(machine.close() == .close)

        machine = self.open()
        _ = machine.closeOutput()
        #expect(machine.close() == .notifyAndWait(sendNotify: false))

        machine = self.open()
        _ = machine.closeNotifyReceived(halfClosureIsAllowed: true)
        #expect(machine.close() == .notifyAndClose(sendNotify: true))
    }

    @Test("G6-11 the timer ends a handshake and a close, and nothing else")
    func timer() {
        var machine = TLSConnectionStateMachine(maximumHeldBytes: 10)
        #expect(machine.timerFired() == .ignore)
        _ = machine.start()
        guard case .fail(let error) = machine.timerFired() else {
            Issue.record("the handshake goes on")
            return
        }
        #expect(error.code == .handshakeTimeout)
        machine = self.open()
        #expect(machine.timerFired() == .ignore)
        _ = machine.close()
        #expect(machine.timerFired() == .close)
    }

    @Test("G6-10 a failure is reported once, and not after a close has ended")
    func failure() {
        var machine = self.open()
        let reports = [machine.failed(), machine.failed()]
        #expect(reports == [true, false])
        #expect(machine.handshakeCompleted() == .ignore)
        #expect(machine.endOfBytes() == .ignore)
        #expect(machine.close() == .close)
    }

    private func expect(_ action: TLSConnectionStateMachine.EndAction, _ code: TLSError.Code) {
        guard case .fail(let error) = action else {
            Issue.record("\(action) in place of an error")
            return
        }
        #expect(error.code == code)
    }
}
