import GatewayAPI
import ProtoMessages
import ProtoRPC

extension SchedulerCalls {
    /// Most models read.
    private static let maximumModels = 10_000

    /// The models of all schedulers that answer, each once, in the order of their names.
    ///
    /// - Throws: why none of them answers.
    func models() async throws(APIError) -> [Model] {
        let schedulers = self.client.connectedEndpoints
        guard schedulers.count > 1 else { return try await self.models(at: nil) }
        let answers = await withTaskGroup(of: Result<[Model], APIError>.self) { group in
            for scheduler in schedulers {
                group.addTask {
                    do throws(APIError) {
                        return .success(try await self.models(at: scheduler))
                    } catch {
                        return .failure(error)
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        var models: [String: Model] = [:]
        for model in answers.compactMap({ try? $0.get() }).joined() { models[model.id] = model }
        // When nobody answers, why is told.
        if models.isEmpty, let first = answers.first(where: { (try? $0.get()) == nil }) { return try first.get() }
        return models.values.sorted { $0.id < $1.id }
    }

    /// The models of one scheduler.
    ///
    /// - Parameter scheduler: which one; nil: any.
    func models(
        at scheduler: RPCClient.Endpoint?,
        timeout: Duration = Self.controlTimeout
    ) async throws(APIError) -> [Model] {
        var models: [Model] = []
        while true {
            let request = ListModelsRequest(after: models.last?.id ?? "")
            let reply: RPCReply<ListModelsResponse>
            do throws(RPCError) {
                reply = try await self.reply(
                    ModelsService.listModels,
                    request,
                    endpoint: scheduler,
                    timeout: timeout
                )
            } catch {
                throw APIError(error)
            }
            models += reply.message.models
            let goesOn = reply.message.hasMore && !reply.message.models.isEmpty && models.count < Self.maximumModels
            guard goesOn else { return models }
        }
    }

    func getModel(_ id: String) async throws(APIError) -> JSON {
        guard let model = try await self.models().first(where: { $0.id == id }) else {
            throw .notFound("model", id: id)
        }
        return JSON(model)
    }
}
