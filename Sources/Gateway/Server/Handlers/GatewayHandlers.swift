import GatewayAPI
import GatewayAccess
import Hummingbird
import Logging
import ProtoMessages
import ProtoRPC

/// Answers the routes.
struct GatewayHandlers: Sendable {
    let client: RPCClient
    let budget: TransferBudget
    let janitor: UploadJanitor
    let logger: Logger

    func answer(
        _ route: Route,
        head: RequestHead,
        request: Request,
        caller: Caller,
        requestID: String,
        trail: ChangeTrail
    ) async throws -> Response {
        let calls = SchedulerCalls(client: self.client, caller: caller, requestID: requestID, logger: self.logger)
        switch route {
        case .uploadFile:
            let uploader = FileUploader(uploader: self.uploader(calls))
            return trail.created(JSON(try await uploader.upload(request.body, contentType: head.contentType)))
        case .listFiles: return Response(json: try await calls.listFiles(ListFilesParameters(query: head.query)))
        case .getFile(let id): return Response(json: try await calls.getFile(id))
        case .deleteFile(let id): return Response(json: try await calls.deleteFile(id))
        case .getFileContent(let id):
            let downloader = FileDownloader(calls: calls, budget: self.budget)
            return try await downloader.response(fileID: id, headers: request.headers)
        case .createUpload:
            let body = try await request.body.collect(upTo: route.maximumBodyBytes)
            return trail.created(try await calls.createUpload(CreateUploadBody.parse(body)))
        case .getUpload(let id): return Response(json: try await calls.getUpload(id))
        case .addUploadPart(let id):
            let uploader = PartUploader(uploadID: id, uploader: self.uploader(calls))
            return Response(json: JSON(try await uploader.upload(request.body, contentType: head.contentType)))
        case .completeUpload(let id):
            let body = try await request.body.collect(upTo: route.maximumBodyBytes)
            return Response(json: try await calls.completeUpload(CompleteUploadBody.parse(body, uploadID: id)))
        case .cancelUpload(let id): return Response(json: try await calls.cancelUpload(id))
        case .createBatch:
            let key = try request.headers[.idempotencyKey].map { try IdempotencyKey.check($0) }
            let body = try await request.body.collect(upTo: Route.createBatch.maximumBodyBytes)
            return trail.created(try await calls.createBatch(CreateBatchBody.parse(body), idempotencyKey: key))
        case .listBatches: return Response(json: try await calls.listBatches(ListBatchesParameters(query: head.query)))
        case .getBatch(let id): return Response(json: try await calls.getBatch(id))
        case .cancelBatch(let id): return Response(json: try await calls.cancelBatch(id))
        case .pauseBatch(let id): return Response(json: try await calls.pauseBatch(id))
        case .resumeBatch(let id): return Response(json: try await calls.resumeBatch(id))
        case .deleteBatch(let id): return Response(json: try await calls.deleteBatch(id))
        case .retryBatch(let id):
            let key = try request.headers[.idempotencyKey].map { try IdempotencyKey.check($0) }
            let body = try await request.body.collect(upTo: route.maximumBodyBytes)
            return trail.created(
                try await calls.retryBatch(RetryBatchBody.parse(body, batchID: id), idempotencyKey: key)
            )
        case .getBatchResults(let id):
            return try await ResultsDownloader(calls: calls, budget: self.budget).response(batchID: id)
        case .listModels: return Response(json: .models(try await calls.models()))
        case .getModel(let id): return Response(json: try await calls.getModel(id))
        // `OnlineRequests` has answered it.
        case .inference: throw APIError.internalError
        case .health: return Response(json: .object([("status", .string("ok"))]))
        case .readiness: return Response(json: try await calls.readiness())
        }
    }

    private func uploader(_ calls: SchedulerCalls) -> FormUploader {
        FormUploader(calls: calls, budget: self.budget, janitor: self.janitor)
    }
}
