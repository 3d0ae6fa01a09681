import CurlHTTP
import ProtoRPC
import SchedulerCore
import SchedulerEngines
import Synchronization

/// Runs one request on an engine: waits for a place, moves the body and the answer, and gives the place back.
struct EngineCall: Sendable {
    /// Engines that are tried when one after the other provably did not get the request.
    private static let maximumEngines = 3

    let dispatcher: Dispatcher
    let request: EngineRequest
    /// Largest answer, in bytes.
    let maximumAnswerBytes: Int
    /// Resumes what `read` and `onBody` paused.
    let control: TransferControl
    /// Where the body comes from and the answer goes, on a thread of the engine's; see `StreamedRequest`.
    let read: @Sendable (UnsafeMutableRawBufferPointer) throws -> Int?
    let onHead: @Sendable (EngineAnswerHead) -> Void
    let onBody: @Sendable (UnsafeRawBufferPointer) throws -> HTTPBodyAnswer

    /// Returns when the engine has answered as a whole, whatever its status. Cancelling the task cancels the request at
    /// the engine at once.
    /// - Throws: `RPCError` when there is no whole answer; UNAVAILABLE only when the request provably did not run.
    func run() async throws {
        // Once bytes of the body were taken they cannot be had again.
        let isBegun = Atomic<Bool>(false)
        var engines = 0
        while true {
            let place = try await self.dispatcher.place(
                for: self.request.model,
                self.request.dispatchClass,
                tenant: self.request.tenant
            )
            engines += 1
            let answer = await self.send(to: place.engine) { isBegun.store(true, ordering: .relaxed) }
            self.dispatcher.release(place, after: answer)
            switch answer {
            case .answered: return
            case .cancelled: throw CancellationError()
            case .failed(let failure):
                let mayTryAnother = failure.kind == .unreachable && !failure.mayHaveRun
                guard mayTryAnother, engines < Self.maximumEngines, !isBegun.load(ordering: .relaxed) else {
                    throw RPCErrors.engine(failure)
                }
            }
        }
    }

    private func send(to engine: any Engine, onBegin: @escaping @Sendable () -> Void) async -> EngineAnswer {
        let request = StreamedRequest(
            path: self.request.path,
            contentBytes: self.request.contentBytes,
            requestID: self.request.requestID,
            maximumAnswerBytes: self.maximumAnswerBytes,
            control: self.control,
            read: { buffer in
                onBegin()
                return try self.read(buffer)
            },
            onHead: self.onHead,
            onBody: self.onBody
        )
        return await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                engine.stream(request) { waiter.resume(returning: $0) }
            }
        } onCancel: {
            self.control.cancel()
        }
    }
}
