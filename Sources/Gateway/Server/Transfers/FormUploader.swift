import GatewayAPI
import Hummingbird
import NIOCore
import ProtoMessages
import ProtoRPC

/// Streams the file of a form to the scheduler while the form comes in, and never holds it.
struct FormUploader: Sendable {
    /// Longest time for making staged bytes durable.
    static let completionTimeout = Duration.seconds(120)

    let calls: SchedulerCalls
    let budget: TransferBudget
    let janitor: UploadJanitor

    /// Reads the form and stores its file; the upload is given up when anything fails.
    /// - Parameters:
    ///   - what: what the client has to send again when the scheduler loses it.
    ///   - begin: opens the upload at a scheduler; called with the purpose if it is known already.
    ///   - complete: makes the staged bytes what they are to become.
    func upload<Form: UploadForm, Stored>(
        _ body: RequestBody,
        _ form: Form,
        what: String,
        begin: (_ purpose: String?) async throws -> StagedUpload,
        complete: (StagedUpload, Form.Details) async throws -> Stored
    ) async throws -> Stored {
        let slot = try self.budget.begin()
        var upload: StagedUpload?
        do {
            let details = try await self.stream(body, form, slot: slot, upload: &upload, begin: begin)
            guard let upload else { throw APIError.internalError }
            return try await complete(upload, details)
        } catch {
            guard let upload else { throw error }
            self.janitor.abandon(.init(uploadID: upload.id, endpoint: upload.endpoint, calls: self.calls))
            throw Self.worded(error, what)
        }
    }

    /// What is staged is the gateway's own, and the client cannot begin it again by its id: all it can do is to send
    /// the bytes once more.
    private static func worded(_ error: any Error, _ what: String) -> any Error {
        guard let error = error as? APIError, error.code == "upload_not_found" else { return error }
        return APIError.unavailable(
            "The scheduler that took the \(what) was stopped meanwhile. Send the \(what) again.",
            code: "upload_interrupted",
            retryAfterSeconds: 1
        )
    }

    private func stream<Form: UploadForm>(
        _ body: RequestBody,
        _ form: Form,
        slot: TransferSlot,
        upload: inout StagedUpload?,
        begin: (_ purpose: String?) async throws -> StagedUpload
    ) async throws -> Form.Details {
        try await withThrowingTaskGroup(of: Void.self) { group in
            var form = form
            var writer: ChunkWriter?
            for try await bytes in body {
                form.append(bytes)
                while let action = try form.next() {
                    switch action {
                    case .beginFile(let purpose):
                        let begun = try await begin(purpose)
                        upload = begun
                        writer = ChunkWriter(upload: begun, calls: self.calls, slot: slot)
                    case .fileContent(let content): try await writer?.write(content, in: &group)
                    case .endFile: try await writer?.flush(in: &group)
                    }
                }
            }
            let details = try form.finish()
            // Not `waitForAll`: chunks behind one that failed wait for it at the scheduler until their time is over.
            for try await _ in group {}
            return details
        }
    }
}

/// An upload that a scheduler has begun; it stays on that scheduler.
struct StagedUpload: Sendable {
    var id: String
    var endpoint: RPCClient.Endpoint
    /// Largest chunk that the scheduler takes; 0: it did not say.
    var maximumChunkBytes: Int
}
