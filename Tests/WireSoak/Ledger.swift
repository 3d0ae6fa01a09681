import ProtoRPC
import Synchronization

/// What the server has run, against what the clients were told: an answered call has run once, one that was not sent has
/// not run, any other at most once.
final class Ledger: Sendable {
    private struct State {
        /// Runs of calls whose outcome is not known yet, or was no answer.
        var runs: [UInt64: Int] = [:]
        /// Calls that the clients were told were not sent, or that may have run.
        var unsent: Set<UInt64> = []
        var unknown: Set<UInt64> = []
        var nextID: UInt64 = 0
        var findings: [String] = []
        var counts: [String: Int] = [:]
    }

    private let state = Mutex(State())

    func newID() -> UInt64 {
        self.state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
    }

    /// On the server, when a call begins.
    func ran(_ id: UInt64) {
        self.state.withLock { $0.runs[id, default: 0] += 1 }
    }

    /// On the client.
    func answered(_ id: UInt64) {
        self.state.withLock { state in
            let runs = state.runs.removeValue(forKey: id) ?? 0
            if runs != 1 { state.findings.append("call \(id) was answered and ran \(runs) times") }
            state.counts["calls answered", default: 0] += 1
        }
    }

    /// On the client.
    func failed(_ id: UInt64, _ error: RPCError) {
        self.state.withLock { state in
            if error.notSent { state.unsent.insert(id) } else { state.unknown.insert(id) }
            state.counts["calls \(error.code)", default: 0] += 1
        }
    }

    func count(_ what: String, _ number: Int = 1) {
        self.state.withLock { $0.counts[what, default: 0] += number }
    }

    func found(_ finding: String) {
        self.state.withLock { $0.findings.append(finding) }
    }

    var counts: [String: Int] {
        self.state.withLock { $0.counts }
    }

    /// Everything that is wrong, once nothing runs any more.
    func close() -> [String] {
        self.state.withLock { state in
            for (id, runs) in state.runs {
                if state.unsent.contains(id) {
                    state.findings.append("call \(id) was not sent and ran \(runs) times")
                } else if !state.unknown.contains(id) {
                    state.findings.append("call \(id) ran after it was answered")
                } else if runs > 1 {
                    state.findings.append("call \(id) ran \(runs) times")
                }
            }
            return state.findings
        }
    }
}
