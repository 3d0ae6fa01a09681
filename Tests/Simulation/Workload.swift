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
        /// It asks for something that does not exist.
        let isRefused: Bool
        var fileID: String?
        /// Unix seconds.
        var fileExpiresAt: Int64?
        var batchID: String?
        var isInputDeleted = false
        /// The last answer, and the first one that was terminal.
        var last: Batch?
        var terminal: Batch?
        var terminalAt: Int64 = .max
        var isChecked = false

        init(number: Int, lines: Int, isValid: Bool, isRefused: Bool) {
            self.number = number
            self.lines = lines
            self.isValid = isValid
            self.isRefused = isRefused
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
        cluster.askClient = { [unowned self] event, batch in
            guard let number = batch.metadata["order"].flatMap({ Int($0) }) else { return }
            self.start { await self.ask(event, self.orders[number], batch.id) }
        }
    }

    /// Whether every order has ended, for good.
    var isDone: Bool { self.running == 0 }

    /// Places orders over the time of the scenario.
    func place(_ count: Int, meanLines: Int) {
        for number in 0..<count {
            // Many small ones, few large ones.
            let scale = Int64(meanLines) * (self.world.chance(0.1) ? 5 : 1)
            let order = Order(
                number: number,
                lines: Int(self.world.random(1...max(2, scale))),
                isValid: !self.world.chance(0.03),
                isRefused: self.world.chance(0.02)
            )
            self.orders.append(order)
            self.running += 1
            self.world.after(self.world.random(0...self.cluster.scenario.load)) {
                self.start { await self.fulfil(order) }
                self.running -= 1
            }
        }
    }

    private func start(_ body: @escaping () async -> Void) {
        self.running += 1
        let box = UncheckedBox(body)
        Task(executorPreference: self.process) {
            await box.value()
            self.running -= 1
        }
    }

    // MARK: - One order

    private func fulfil(_ order: Order) async {
        let isShort = self.world.chance(0.3)
        guard let uploaded = await self.upload(order) else { return }
        let file = uploaded.id
        order.fileID = file
        order.fileExpiresAt = uploaded.expiresAt.map { Int64(clamping: $0) }
        let request = CreateBatchRequest(
            inputFileID: file,
            endpoint: order.isRefused ? "/v1/nowhere" : "/v1/chat/completions",
            completionWindow: isShort ? self.cluster.scenario.shortWindow : "24h",
            metadata: ["order": "\(order.number)"]
        )
        let asked = self.world.now
        let created = await self.persistently(BatchesService.createBatch, request, key: "order-\(order.number)")
        if order.isRefused {
            order.isChecked = true
            if case .success = created { self.cluster.violation("I-02 order \(order.number) was not refused") }
            return
        }
        guard case .success(let response) = created, let batch = response.batch else {
            return self.cluster.violation("order \(order.number): create was refused: \(created)")
        }
        order.batchID = batch.id
        self.note(batch, order, asked: asked)
        async let wishes: Void = self.changeOfMind(order, batch.id)
        await self.watch(order, batch.id)
        await wishes
        await Checker(cluster: self.cluster, calls: self).check(order)
        // Some come again for what they have had: nothing of it may have changed.
        guard self.world.chance(0.2) else { return }
        await self.rest(0...600_000)
        await Checker(cluster: self.cluster, calls: self).check(order)
    }

    /// Some batches are cancelled, and some inputs deleted, at any moment.
    private func changeOfMind(_ order: Order, _ id: String) async {
        if self.world.chance(0.1) {
            await self.rest(0...20_000)
            await self.ask(.inputDeleted, order, id)
        }
        guard self.world.chance(0.25) else { return }
        if !self.world.chance(0.3) { await self.rest(0...60_000) }
        await self.ask(.cancel, order, id)
    }

    private func ask(_ event: Event, _ order: Order, _ id: String) async {
        self.cluster.states.hit(event, id)
        let asked = self.world.now
        let hadEnded = self.cluster.states.status(of: id)?.isTerminal ?? false
        switch event {
        case .inputDeleted:
            guard let file = order.fileID else { return }
            order.isInputDeleted = true
            _ = await self.persistently(FilesService.deleteFile, DeleteFileRequest(fileID: file))
        case .cancel:
            switch await self.persistently(BatchesService.cancelBatch, CancelBatchRequest(batchID: id)) {
            case .success(let response):
                if hadEnded { self.cluster.violation("I-05 \(id) was cancelled after its end") }
                if let batch = response.batch { self.note(batch, order, asked: asked) }
            case .failure(let error):
                guard self.cluster.states.status(of: id)?.isTerminal ?? false else {
                    return self.cluster.violation("\(id) could not be cancelled: \(error)")
                }
            }
        case .crash, .powerLoss, .pause, .diskFull, .outage, .clockJump, .windowEnds, .fileDamaged: break
        }
    }

    private func watch(_ order: Order, _ id: String) async {
        while order.terminal == nil {
            await self.rest(100...3_000)
            await self.look(order, id)
        }
        // Terminal is for ever, whoever is asked and whatever is asked for.
        if self.world.chance(0.4) { await self.ask(.cancel, order, id) }
        if self.world.chance(0.4) { await self.ask(.inputDeleted, order, id) }
        for _ in 0..<2 {
            await self.rest(100...30_000)
            await self.look(order, id)
        }
    }

    private func look(_ order: Order, _ id: String) async {
        let asked = self.world.now
        if case .success(let response) = await self.call(BatchesService.getBatch, GetBatchRequest(batchID: id)),
            let batch = response.batch
        {
            self.note(batch, order, asked: asked)
        }
    }

    private func note(_ batch: Batch, _ order: Order, asked: Int64) {
        // An answer may have overtaken this one on the way.
        let terminal = asked > order.terminalAt ? order.terminal : nil
        guard order.terminal == nil || terminal != nil else { return }
        History(cluster: self.cluster).check(batch, after: order.last, terminal: terminal)
        if order.last.map({ !$0.status.isTerminal }) ?? true { order.last = batch }
        if batch.status.isTerminal, order.terminal == nil {
            order.terminal = batch
            order.terminalAt = self.world.now
            self.world.coverage.ended(batch.status.name)
        }
    }

    // MARK: - Uploads

    /// The file of an order: each line names itself; an invalid one names a line twice.
    static func content(of order: Order) -> [UInt8] {
        var bytes: [UInt8] = []
        for line in 0..<order.lines {
            let text =
                #"{"custom_id":"\#(Self.customID(order, line))","method":"POST","url":"/v1/chat/completions","#
                + #""body":\#(Self.body(ofOrder: order.number, line))}"#
            bytes += Array(text.utf8) + [UInt8(ascii: "\n")]
        }
        if !order.isValid { bytes += bytes.prefix { $0 != UInt8(ascii: "\n") } }
        return bytes
    }

    /// What an engine is to get for a line.
    static func body(ofOrder number: Int, _ line: Int) -> String {
        let model = (number + line / 50) % 7 == 0 ? "model-b" : "model-a"
        // A mark that the engine refuses for ever on some lines.
        let mark = line % 97 == 3 ? "!" : ""
        return #"{"model":"\#(model)","n":"\#(mark)","o":\#(number),"l":\#(line)}"#
    }

    static func customID(_ order: Order, _ line: Int) -> String { "o\(order.number)-l\(line)" }

    /// Uploads with whatever repetitions it takes; nil when the run ended first.
    private func upload(_ order: Order) async -> File? {
        let content = Self.content(of: order)
        while true {
            if let file = await self.uploadOnce(content) { return file }
            await self.wait(self.world.random(100...2_000))
        }
    }

    private func uploadOnce(_ content: [UInt8]) async -> File? {
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
        return await self.retried(FilesService.completeUpload, complete, at: scheduler)?.file
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

    /// Waits as long as a client of this scenario would.
    private func rest(_ range: ClosedRange<Int64>) async {
        await self.wait(self.world.random(range) * self.cluster.scenario.clientStretch)
    }

    func wait(_ milliseconds: Int64) async {
        try? await self.process.sleep(milliseconds)
    }
}

extension RPCError {
    /// Whether a stored file is not what was written.
    var tellsOfDamage: Bool {
        guard self.code == .dataLoss, let detail = self.details.first else { return false }
        return (try? ErrorInfo(serialized: detail.value))?.reason == "file_damaged"
    }

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
