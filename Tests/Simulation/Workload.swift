import Checksum
import NIOCore
import ProtoMessages
import ProtoRPC
import SchedulerCore

/// One client with many batches: what it asked for, what it was told, and what it got.
final class Workload: @unchecked Sendable {
    // Guard: only the main thread touches it.

    /// One batch as its client sees it.
    final class Order: @unchecked Sendable {
        // Guard: only the main thread touches it.

        let number: Int
        let lines: Int
        let isValid: Bool
        var fileID: String?
        var batchID: String?
        var cancelAckedAt: Int64?
        var isInputDeleted = false
        /// The last answer, and the first one that was terminal.
        var last: Batch?
        var terminal: Batch?
        var isChecked = false

        init(number: Int, lines: Int, isValid: Bool) {
            self.number = number
            self.lines = lines
            self.isValid = isValid
        }
    }

    private static let chunkBytes = 128 << 10

    let cluster: Cluster
    let process: SimulatedProcess
    private(set) var orders: [Order] = []
    private var world: World { self.cluster.world }
    private var running = 0

    init(cluster: Cluster) {
        self.cluster = cluster
        self.process = SimulatedProcess("client", in: cluster.world)
    }

    /// Whether every order has ended, for good.
    var isDone: Bool { self.running == 0 }

    /// Places orders over some time.
    func place(_ count: Int, meanLines: Int, over milliseconds: Int64) {
        for number in 0..<count {
            // Many small ones, few large ones.
            let scale = Int64(meanLines) * (self.world.chance(0.1) ? 5 : 1)
            let order = Order(
                number: number,
                lines: Int(self.world.random(1...max(2, scale))),
                isValid: !self.world.chance(0.03)
            )
            self.orders.append(order)
            self.running += 1
            self.world.after(self.world.random(0...milliseconds)) {
                Task(executorPreference: self.process) {
                    await self.fulfil(order)
                    self.running -= 1
                }
            }
        }
    }

    // MARK: - One order

    private func fulfil(_ order: Order) async {
        let isShort = self.world.chance(0.15)
        guard let file = await self.upload(order) else { return }
        order.fileID = file
        let request = CreateBatchRequest(
            inputFileID: file,
            endpoint: "/v1/chat/completions",
            completionWindow: isShort ? "1m" : "24h",
            metadata: ["order": "\(order.number)"]
        )
        let created = await self.persistently(BatchesService.createBatch, request, key: "order-\(order.number)")
        guard case .success(let response) = created, let batch = response.batch else {
            return self.cluster.violation("order \(order.number): create was refused: \(created)")
        }
        order.batchID = batch.id
        self.note(batch, order)
        async let wishes: Void = self.changeOfMind(order, batch.id)
        await self.watch(order, batch.id)
        await wishes
        await Checker(cluster: self.cluster, calls: self).check(order)
    }

    /// Some batches are cancelled, and some inputs deleted, at any moment.
    private func changeOfMind(_ order: Order, _ id: String) async {
        if self.world.chance(0.1), let file = order.fileID {
            await self.wait(self.world.random(0...20_000))
            if let state = order.last?.status { self.world.coverage.hit(state: state.name, event: "input deleted") }
            _ = await self.persistently(FilesService.deleteFile, DeleteFileRequest(fileID: file))
            order.isInputDeleted = true
        }
        guard self.world.chance(0.2) else { return }
        await self.wait(self.world.chance(0.3) ? 0 : self.world.random(0...60_000))
        if let state = order.last?.status { self.world.coverage.hit(state: state.name, event: "cancel") }
        let reply = await self.persistently(BatchesService.cancelBatch, CancelBatchRequest(batchID: id))
        if case .success(let response) = reply, let batch = response.batch {
            order.cancelAckedAt = self.world.now
            self.note(batch, order)
        }
    }

    private func watch(_ order: Order, _ id: String) async {
        while order.terminal == nil {
            await self.wait(self.world.random(100...3_000))
            if case .success(let response) = await self.call(BatchesService.getBatch, GetBatchRequest(batchID: id)),
                let batch = response.batch
            {
                self.note(batch, order)
            }
        }
        // Terminal is for ever, whoever is asked.
        for _ in 0..<2 {
            await self.wait(self.world.random(100...30_000))
            if case .success(let response) = await self.call(BatchesService.getBatch, GetBatchRequest(batchID: id)),
                let batch = response.batch
            {
                self.note(batch, order)
            }
        }
    }

    private func note(_ batch: Batch, _ order: Order) {
        History(cluster: self.cluster).check(batch, after: order.last, terminal: order.terminal)
        if order.last.map({ !$0.status.isTerminal }) ?? true { order.last = batch }
        if batch.status.isTerminal, order.terminal == nil {
            order.terminal = batch
            self.world.coverage.ended(batch.status.name)
        }
    }

    // MARK: - Uploads

    /// The file of an order: each line names itself; an invalid one names a line twice.
    static func content(of order: Order) -> [UInt8] {
        var bytes: [UInt8] = []
        for line in 0..<order.lines {
            let model = (order.number + line / 50) % 7 == 0 ? "model-b" : "model-a"
            // A mark that the engine refuses for ever on some lines.
            let mark = line % 97 == 3 ? "!" : ""
            let text =
                #"{"custom_id":"\#(Self.customID(order, line))","method":"POST","url":"/v1/chat/completions","#
                + #""body":{"model":"\#(model)","n":"\#(mark)","o":\#(order.number),"l":\#(line)}}"#
            bytes += Array(text.utf8) + [UInt8(ascii: "\n")]
        }
        if !order.isValid { bytes += bytes.prefix { $0 != UInt8(ascii: "\n") } }
        return bytes
    }

    static func customID(_ order: Order, _ line: Int) -> String { "o\(order.number)-l\(line)" }

    /// Uploads with whatever repetitions it takes; nil when the run ended first.
    private func upload(_ order: Order) async -> String? {
        let content = Self.content(of: order)
        while true {
            if let id = await self.uploadOnce(content) { return id }
            await self.wait(self.world.random(100...2_000))
        }
    }

    private func uploadOnce(_ content: [UInt8]) async -> String? {
        // An upload stays with the scheduler that began it.
        let scheduler = self.cluster.schedulers[Int(self.world.random() & 1)]
        let begin = BeginUploadRequest(purpose: "batch")
        guard case .success(let upload) = await self.call(FilesService.beginUpload, begin, at: scheduler) else {
            return nil
        }
        var offset = 0
        while offset < content.count {
            let chunk = content[offset..<min(offset + Self.chunkBytes, content.count)]
            let request = WriteChunkRequest(
                uploadID: upload.uploadID,
                offset: UInt64(offset),
                data: ByteBuffer(bytes: chunk),
                crc32c: Array(chunk).withUnsafeBytes { CRC32C.checksum($0) }
            )
            guard await self.retried(FilesService.writeChunk, request, at: scheduler) != nil else { return nil }
            offset += chunk.count
        }
        let complete = CompleteUploadRequest(
            uploadID: upload.uploadID,
            filename: "input.jsonl",
            purpose: "batch",
            bytes: UInt64(content.count)
        )
        return await self.retried(FilesService.completeUpload, complete, at: scheduler)?.file?.id
    }

    private func retried<Request, Response>(
        _ method: RPCMethod<Request, Response>,
        _ request: Request,
        at scheduler: SimulatedScheduler
    ) async -> Response? {
        for _ in 0..<4 {
            switch await self.call(method, request, at: scheduler) {
            case .success(let response): return response
            case .failure(let error) where error.isTransient: await self.wait(self.world.random(50...500))
            case .failure: return nil
            }
        }
        return nil
    }

    // MARK: - Calls

    /// Calls until there is a definite answer; safe for what may be repeated.
    func persistently<Request, Response>(
        _ method: RPCMethod<Request, Response>,
        _ request: Request,
        key: String? = nil
    ) async -> Result<Response, RPCError> {
        while true {
            let result = await self.call(method, request, key: key)
            if case .failure(let error) = result, error.isTransient {
                await self.wait(self.world.random(100...2_000))
                continue
            }
            return result
        }
    }

    /// Calls one of the schedulers once.
    func call<Request, Response>(
        _ method: RPCMethod<Request, Response>,
        _ request: Request,
        key: String? = nil,
        at scheduler: SimulatedScheduler? = nil
    ) async -> Result<Response, RPCError> {
        let target = scheduler ?? self.cluster.schedulers[Int(self.world.random() & 1)]
        await self.wait(self.world.random(0...2))
        guard !self.world.fault(.requestLost, Probability.lostMessage) else {
            return .failure(RPCError(code: .unavailable, message: "the request was lost"))
        }
        let metadata = key.map { [("idempotency-key", $0)] } ?? []
        let box: UncheckedBox<Result<Response, RPCError>> = await withCheckedContinuation { continuation in
            target.call(method, request, metadata: metadata) { result in
                let answer = UncheckedBox(result)
                self.process.post { continuation.resume(returning: answer) }
            }
        }
        return box.value
    }

    func wait(_ milliseconds: Int64) async {
        try? await self.process.sleep(milliseconds)
    }
}

extension RPCError {
    /// Whether the same call may succeed later; what it did is not known.
    var isTransient: Bool {
        switch self.code {
        case .unavailable, .deadlineExceeded, .aborted, .internal, .cancelled, .resourceExhausted: true
        default: false
        }
    }
}

extension ProtoMessages.BatchStatus {
    /// As the REST API spells it.
    var name: String {
        switch self {
        case .validating: "validating"
        case .inProgress: "in_progress"
        case .finalizing: "finalizing"
        case .cancelling: "cancelling"
        case .completed: "completed"
        case .failed: "failed"
        case .expired: "expired"
        case .cancelled: "cancelled"
        default: "unknown"
        }
    }

    var isTerminal: Bool {
        switch self {
        case .completed, .failed, .expired, .cancelled: true
        default: false
        }
    }
}
