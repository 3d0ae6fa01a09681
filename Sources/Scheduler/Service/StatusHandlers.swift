import ProtoMessages
import ProtoRPC
import SchedulerCore
import SchedulerEngines
import SchedulerStores

/// What the engines serve and how the scheduler is: the services `Models`, `Admin` and `Session`.
struct StatusHandlers: Sendable {
    /// Most models of one answer.
    private static let maximumPageModels = 500

    let store: any MetadataStore
    let dispatcher: Dispatcher
    let runner: JobRunner
    let startedAt: Int64

    func register(in router: inout RPCRouter) {
        router.register(ModelsService.listModels) { request, _ in self.models(after: request.after) }
        router.register(AdminService.getStatus) { _, _ in
            try await answering { try await self.status() }
        }
        router.register(SessionService.health) { _, _ in HealthResponse(status: .serving) }
    }

    private func models(after: String) -> ListModelsResponse {
        var ready: [String: Bool] = [:]
        for (address, engine) in self.dispatcher.snapshot() {
            // A model that was named on the command line is there even before its engine answers.
            for model in Set(engine.models + (address.model.map { [$0] } ?? [])) {
                ready[model] = (ready[model] ?? false) || engine.condition == .ready
            }
        }
        let names = ready.keys.sorted().filter { $0 > after }
        let page = names.prefix(Self.maximumPageModels).map { name in
            Model(id: name, createdAt: self.startedAt, ownedBy: "backfill", ready: ready[name] ?? false)
        }
        return ListModelsResponse(models: page, hasMore: names.count > page.count)
    }

    private func status() async throws -> GetStatusResponse {
        let waiting = try await self.waitingBatches()
        let running = self.runner.activeBatches.count
        return GetStatusResponse(
            version: SchedulerApplication.version,
            startedAt: self.startedAt,
            engines: self.dispatcher.snapshot().map { address, engine in
                EngineStatus(
                    url: address.url,
                    models: engine.models,
                    ready: engine.condition == .ready,
                    reason: engine.condition.reason,
                    requestsInFlight: UInt32(clamping: engine.inFlight),
                    concurrency: UInt32(clamping: engine.concurrency)
                )
            },
            runningBatches: UInt32(clamping: running),
            queuedBatches: UInt32(clamping: waiting)
        )
    }
}

extension StatusHandlers {
    private static let pageBatches = 200

    /// Batches that nobody runs.
    private func waitingBatches() async throws -> Int {
        let claims = try await self.store.ownership().claims
        var count = 0
        for label in [BatchRecord.cancellingLabel, BatchRecord.activeLabel] {
            var after: String?
            repeat {
                let page = try await self.store.list(
                    RecordQuery(kind: .batch, label: label, after: after, ascending: true, limit: Self.pageBatches)
                )
                count += page.count { claims[ClaimKey.batch($0.key.id)] == nil }
                after = page.count == Self.pageBatches ? page.last?.key.id : nil
            } while after != nil
        }
        return count
    }
}

extension EngineCondition {
    fileprivate var reason: String {
        switch self {
        case .ready: ""
        case .unknown: "not asked yet"
        case .down(let reason): reason
        }
    }
}
