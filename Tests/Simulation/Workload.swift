import Checksum
import NIOCore
import ProtoMessages
import ProtoRPC
import SchedulerCore

/// One client with many batches: what it asked for, what it was told, and what it got.
final class Workload: @unchecked Sendable {
    // Guard: only the main thread touches it.

    private static let chunkBytes = 128 << 10
    private static let maximumInlineBytes = 700 << 10

    let cluster: Cluster
    let process: SimulatedProcess
    private(set) var orders: [Order] = []
    /// Uploads in parts.
    private(set) var uploads: [PartsUpload] = []
    var world: World { self.cluster.world }
    private var running = 0

    init(cluster: Cluster) {
        self.cluster = cluster
        self.process = SimulatedProcess("client", in: cluster.world)
        cluster.askClient = { [unowned self] event, batch in
            guard let number = batch.metadata["order"].flatMap({ Int($0) }) else { return }
            self.start { await self.ask(event, self.orders[number], batch.id) }
        }
        cluster.bodyOfLine = { [unowned self] number, line in
            guard self.orders.indices.contains(number), self.orders[number].lines.indices.contains(line) else {
                return nil
            }
            return self.orders[number].lines[line].body
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
                lines: (0..<Int(self.world.random(1...max(2, scale)))).map { Order.Line(order: number, number: $0) },
                input: self.world.chance(0.35) ? .parts : self.world.chance(0.3) ? .inline : .file,
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

    /// Adds an order for lines that failed in another one.
    func add(_ lines: [Order.Line], failedIn first: Order) -> Order {
        let order = Order(number: self.orders.count, lines: lines, input: .failedLines(of: first))
        self.orders.append(order)
        return order
    }

    func start(_ body: @escaping () async -> Void) {
        self.running += 1
        let box = UncheckedBox(body)
        Task(executorPreference: self.process) {
            await box.value()
            self.running -= 1
        }
    }

    // MARK: - One order

    private func fulfil(_ order: Order) async {
        order.hasShortWindow = self.world.chance(0.3)
        var request = CreateBatchRequest(
            endpoint: order.isRefused ? "/v1/nowhere" : "/v1/chat/completions",
            completionWindow: order.hasShortWindow ? self.cluster.scenario.shortWindow : "24h",
            metadata: ["order": "\(order.number)"]
        )
        if let inline = self.inlineInput(of: order) {
            request.inlineInput = inline
        } else {
            guard let uploaded = await self.upload(order) else { return }
            self.note(uploaded, order)
            request.inputFileID = uploaded.id
        }
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
        if request.inputFileID.isEmpty { self.world.coverage.hit(.inlineBatch) }
        await self.follow(order, batch, asked: asked)
    }

    /// The lines of an order whose create holds them, if they are not too many.
    private func inlineInput(of order: Order) -> ByteBuffer? {
        guard case .inline = order.input else { return nil }
        let content = order.content
        return content.count <= Self.maximumInlineBytes ? ByteBuffer(bytes: content) : nil
    }

    private func note(_ file: File, _ order: Order) {
        order.fileExpiresAt = file.expiresAt.map { Int64(clamping: $0) }
        order.fileID = file.id
    }

    /// From the answer of the create to the end, and beyond.
    func follow(_ order: Order, _ batch: Batch, asked: Int64) async {
        order.batchID = batch.id
        self.note(batch, order, asked: asked)
        if order.fileID == nil {
            switch await self.persistently(FilesService.getFile, GetFileRequest(fileID: batch.inputFileID)) {
            case .success(let response): if let file = response.file { self.note(file, order) }
            case .failure(let error):
                order.fileID = batch.inputFileID
                guard error.code != .notFound || !self.cluster.mayBeGone(inputOf: order) else { break }
                self.cluster.violation("I-01 \(batch.inputFileID) is not there: \(error)")
            }
        }
        async let wishes: Void = self.changeOfMind(order, batch.id)
        await self.watch(order, batch.id)
        await wishes
        guard order.terminal != nil else {
            order.isChecked = true
            return
        }
        await Checker(cluster: self.cluster, calls: self).check(order)
        if self.world.chance(0.35) { await self.retry(order, batch.id) }
        if self.world.chance(0.3) { await self.ask(.batchDeleted, order, batch.id) }
        // Some come again for what they have had: nothing of it may have changed.
        guard self.world.chance(0.2) else { return }
        await self.rest(0...600_000)
        await self.look(order, batch.id)
        await Checker(cluster: self.cluster, calls: self).check(order)
    }

    private func watch(_ order: Order, _ id: String) async {
        while order.terminal == nil, !order.isDeleted {
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
        let (wasDeleted, pausing) = (order.isDeleted, order.pausing)
        switch await self.call(BatchesService.getBatch, GetBatchRequest(batchID: id)) {
        case .success(let response):
            if wasDeleted { self.cluster.violation("I-01 \(id) is there again after it was deleted") }
            guard let batch = response.batch else { return }
            self.note(batch, order, asked: asked)
            await self.resumeAgain(order, batch)
            // Nobody has asked for anything else meanwhile.
            guard let isPaused = pausing.isPaused, pausing.wishes == order.pausing.wishes else { return }
            if batch.status.isPausable, (batch.pausedAt != nil) != isPaused {
                self.cluster.violation("I-01 \(id) is told to be \(isPaused ? "running" : "paused"), which it is not")
            }
        case .failure(let error):
            guard error.code == .notFound else { return }
            // A call that was given up may have deleted it later.
            order.isDeleted = true
            if order.deletions == 0 { self.cluster.violation("I-01 \(id) is gone") }
        }
    }

    func note(_ batch: Batch, _ order: Order, asked: Int64) {
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

    /// Uploads with whatever repetitions it takes; nil when the run ended first.
    private func upload(_ order: Order) async -> File? {
        let content = order.content
        var tries = 0
        while true {
            tries += 1
            if case .parts = order.input {
                let upload = PartsUpload(content, as: "order-\(order.number)-\(tries).jsonl", calls: self)
                self.uploads.append(upload)
                if let file = await upload.run() { return file }
            } else if let file = await self.uploadOnce(content) {
                return file
            }
            await self.wait(self.world.random(100...2_000))
        }
    }

    private func uploadOnce(_ content: [UInt8]) async -> File? {
        // An upload stays with the scheduler that began it.
        let scheduler = self.cluster.someScheduler
        let begin = BeginUploadRequest(purpose: "batch")
        guard case .success(let upload) = await self.call(FilesService.beginUpload, begin, at: scheduler) else {
            return nil
        }
        guard await self.write(content[...], to: upload.uploadID, at: scheduler) else { return nil }
        let complete = CompleteUploadRequest(
            uploadID: upload.uploadID,
            filename: "input.jsonl",
            purpose: "batch",
            bytes: UInt64(content.count)
        )
        return await self.retried(FilesService.completeUpload, complete, at: scheduler)?.file
    }

    /// Sends the bytes of a file or a part, a chunk at a time; false: the scheduler has forgotten it.
    func write(_ content: ArraySlice<UInt8>, to uploadID: String, at scheduler: SimulatedScheduler) async -> Bool {
        var offset = 0
        while offset < content.count {
            let chunk = content.dropFirst(offset).prefix(Self.chunkBytes)
            let request = WriteChunkRequest(
                uploadID: uploadID,
                offset: UInt64(offset),
                data: ByteBuffer(bytes: chunk),
                crc32c: chunk.withUnsafeBytes { CRC32C.checksum($0) }
            )
            guard await self.retried(FilesService.writeChunk, request, at: scheduler) != nil else { return false }
            offset += chunk.count
        }
        return true
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
        await self.untilAnswered(method, request, key: key).answer
    }

    /// The same, and whether the call was made more than once, so that its effect may be an earlier one's.
    func untilAnswered<Request, Response>(
        _ method: RPCMethod<Request, Response>,
        _ request: Request,
        key: String? = nil
    ) async -> (answer: Result<Response, RPCError>, isRepeated: Bool) {
        var isRepeated = false
        while true {
            let result = await self.call(method, request, key: key)
            guard case .failure(let error) = result, error.isTransient else { return (result, isRepeated) }
            isRepeated = true
            await self.wait(self.world.random(100...2_000))
        }
    }

    /// Calls one of the schedulers once.
    func call<Request, Response>(
        _ method: RPCMethod<Request, Response>,
        _ request: Request,
        key: String? = nil,
        at scheduler: SimulatedScheduler? = nil
    ) async -> Result<Response, RPCError> {
        let target = scheduler ?? self.cluster.someScheduler
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
    func rest(_ range: ClosedRange<Int64>) async {
        await self.wait(self.world.random(range) * self.cluster.scenario.clientStretch)
    }

    func wait(_ milliseconds: Int64) async {
        try? await self.process.sleep(milliseconds)
    }
}
