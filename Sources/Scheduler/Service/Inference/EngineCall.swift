import CurlHTTP
import NIOCore
import ProtoRPC
import SchedulerCore
import SchedulerEngines
import Synchronization

/// Runs one request on an engine: gets a place, moves the body and the answer, and gives the place back. The I/O shell
/// around `EngineCallStateMachine`; it has no task, and everything happens on the threads of those who tell it something.
final class EngineCall: Sendable {
    /// The body of a request.
    enum Body: Sendable {
        /// It is here.
        case whole(ByteBuffer)
        /// It comes piece by piece; see `StreamedRequest`. Once bytes were taken they cannot be had again.
        case streamed(@Sendable (UnsafeMutableRawBufferPointer) throws -> Int?)
    }

    /// Where an answer goes, on a thread of the engine's; see `StreamedRequest`.
    struct Sink: Sendable {
        /// Largest answer, in bytes.
        let maximumBytes: Int
        let onHead: @Sendable (EngineAnswerHead) -> Void
        let onBody: @Sendable (UnsafeRawBufferPointer) throws -> HTTPBodyAnswer
        let onTurn: @Sendable () -> Void
    }

    private typealias Machine = EngineCallStateMachine<EnginePlace>

    private let dispatcher: Dispatcher
    private let request: EngineRequest
    private let body: Body
    private let sink: Sink
    /// Resumes what the callbacks of body and answer paused.
    let control = TransferControl()

    private struct State {
        var machine = Machine()
        var waiting: PlaceRequest?
        var end: End?
    }

    /// Whom the end is told to. A type of its own: a bare closure is wrapped anew each time it goes through the lock.
    private struct End: Sendable {
        let tell: @Sendable (RPCError?) -> Void
    }

    private let state = Mutex(State())
    /// Bytes of a body that comes piece by piece were taken.
    private let isBegun = Atomic<Bool>(false)

    init(
        _ request: EngineRequest,
        _ body: Body,
        _ sink: Sink,
        dispatcher: Dispatcher
    ) {
        self.dispatcher = dispatcher
        self.request = request
        self.body = body
        self.sink = sink
    }

    /// Sends the request, or queues it for a place; once.
    /// - Parameter onEnd: called once, when the engine has answered as a whole, whatever its status, or with why there is
    ///   no whole answer: UNAVAILABLE only when the request provably did not run.
    func begin(_ onEnd: @escaping @Sendable (RPCError?) -> Void) {
        self.state.withLock { $0.end = End(tell: onEnd) }
        self.act { $0.begin() }
    }

    /// Ends it, if it has not ended: at the engine at once. `onEnd` is called all the same.
    func cancel() {
        self.act { $0.cancel() }
    }

    private func act(_ event: @Sendable (inout Machine) -> Machine.Action, after answer: EngineAnswer = .cancelled) {
        switch self.state.withLock({ event(&$0.machine) }) {
        case .none: break
        case .requestPlace: self.requestPlace()
        case .withdraw: self.withdraw()
        case .send(let place): self.send(to: place.engine)
        case .cancelTransfer: self.control.cancel()
        case .end(let error, let place):
            if let place { self.dispatcher.release(place, after: answer) }
            let end = self.state.withLock { state in
                defer { state.end = nil }
                return state.end
            }
            end?.tell(error)
        case .tryAgain(let place):
            self.dispatcher.release(place, after: answer)
            self.requestPlace()
        }
    }

    private func requestPlace() {
        let (model, dispatchClass) = (self.request.model, self.request.dispatchClass)
        if let outcome = self.dispatcher.placeNow(for: model, dispatchClass) { return self.settled(outcome) }
        let waiting = PlaceRequest { self.settled($0) }
        self.state.withLock { $0.waiting = waiting }
        self.dispatcher.queue(waiting, for: model, dispatchClass, tenant: self.request.tenant)
        // Who cancelled before it was queued found nothing to take back.
        if self.state.withLock({ $0.machine.isLeaving }) { self.withdraw() }
    }

    private func settled(_ outcome: PlaceRequest.Outcome) {
        switch outcome {
        case .placed(let place): self.act { $0.placed(place) }
        case .refused(let error): self.act { $0.refused(error) }
        case .withdrawn: self.act { $0.withdrawn() }
        }
    }

    private func withdraw() {
        guard let waiting = self.state.withLock({ $0.waiting }) else { return }
        self.dispatcher.withdraw(waiting, of: self.request.tenant)
    }

    private func send(to engine: any Engine) {
        let (isWhole, read) = self.bodyReader
        let request = StreamedRequest(
            path: self.request.path,
            contentBytes: self.request.contentBytes,
            requestID: self.request.requestID,
            traceFields: self.request.traceFields,
            maximumAnswerBytes: self.sink.maximumBytes,
            control: self.control,
            isWhole: isWhole,
            read: read,
            onHead: self.sink.onHead,
            onBody: self.sink.onBody,
            onTurn: self.sink.onTurn
        )
        engine.stream(request) { answer in
            self.act(
                { $0.answered(answer, canRepeat: !self.isBegun.load(ordering: .relaxed)) },
                after: answer
            )
        }
    }

    private var bodyReader: (isWhole: Bool, read: @Sendable (UnsafeMutableRawBufferPointer) throws -> Int?) {
        switch self.body {
        case .whole(let bytes):
            return (
                true,
                { buffer in
                    let count = min(buffer.count, bytes.readableBytes)
                    bytes.withUnsafeReadableBytes { buffer.copyMemory(from: .init(rebasing: $0.prefix(count))) }
                    return count
                }
            )
        case .streamed(let read):
            return (
                false,
                { buffer in
                    self.isBegun.store(true, ordering: .relaxed)
                    return try read(buffer)
                }
            )
        }
    }
}
