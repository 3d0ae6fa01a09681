import GatewayAPI
import ProtoMessages

extension SchedulerCalls {
    /// Most models read.
    private static let maximumModels = 10_000

    func models() async throws(APIError) -> [Model] {
        var models: [Model] = []
        while true {
            let reply = try await self.call(ModelsService.listModels, ListModelsRequest(after: models.last?.id ?? ""))
            models += reply.models
            guard reply.hasMore, !reply.models.isEmpty, models.count < Self.maximumModels else { return models }
        }
    }

    func getModel(_ id: String) async throws(APIError) -> JSON {
        guard let model = try await self.models().first(where: { $0.id == id }) else {
            throw .notFound("model", id: id)
        }
        return JSON(model)
    }
}
