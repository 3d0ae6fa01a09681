import GatewayAPI
import Hummingbird
import NIOCore
import ProtoMessages
import ProtoRPC

/// Streams the file of a form to the scheduler while the form comes in.
struct FileUploader: Sendable {
    /// Longest time for making the staged bytes a file.
    private static let completionTimeout = Duration.seconds(120)

    let calls: SchedulerCalls
    let budget: TransferBudget
    let janitor: UploadJanitor

    /// Reads the form and stores its file; the upload is given up when anything fails.
    func upload(_ body: RequestBody, contentType: String) async throws -> File {
        var form = try FileFormStateMachine(contentType: contentType)
        let slot = try self.budget.begin()
        var upload: StagedUpload?
        do {
            return try await self.store(body, form: &form, slot: slot, upload: &upload)
        } catch {
            if let upload {
                self.janitor.abandon(.init(uploadID: upload.id, endpoint: upload.endpoint, calls: self.calls))
            }
            throw Self.worded(error)
        }
    }

    /// The upload is the gateway's own, and the client cannot begin it again by its id: all it can do is to send the file
    /// once more.
    private static func worded(_ error: any Error) -> any Error {
        guard let error = error as? APIError, error.code == "upload_not_found" else { return error }
        return APIError.unavailable(
            "The scheduler that took the file was stopped meanwhile. Send the file again.",
            code: "upload_interrupted",
            retryAfterSeconds: 1
        )
    }

    private func store(
        _ body: RequestBody,
        form: inout FileFormStateMachine,
        slot: TransferSlot,
        upload: inout StagedUpload?
    ) async throws -> File {
        let details = try await withThrowingTaskGroup(of: Void.self) { group in
            var writer: ChunkWriter?
            for try await bytes in body {
                form.append(bytes)
                while let action = try form.next() {
                    switch action {
                    case .beginFile(let purpose):
                        let begun = try await self.begin(purpose: purpose)
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
        guard let upload else { throw APIError.internalError }
        return try await self.complete(upload, details)
    }

    private func begin(purpose: String?) async throws(APIError) -> StagedUpload {
        do throws(RPCError) {
            let reply = try await self.calls.reply(
                FilesService.beginUpload,
                BeginUploadRequest(purpose: purpose ?? "")
            )
            return StagedUpload(
                id: reply.message.uploadID,
                endpoint: reply.endpoint,
                maximumChunkBytes: Int(reply.message.maximumChunkBytes)
            )
        } catch {
            throw APIError(error)
        }
    }

    private func complete(_ upload: StagedUpload, _ details: FileUpload) async throws(APIError) -> File {
        let request = CompleteUploadRequest(
            uploadID: upload.id,
            filename: details.filename,
            purpose: details.purpose,
            bytes: details.bytes,
            expiresAfterSeconds: details.expiresAfterSeconds
        )
        let reply: RPCReply<CompleteUploadResponse>
        do throws(RPCError) {
            reply = try await self.calls.reply(
                FilesService.completeUpload,
                request,
                endpoint: upload.endpoint,
                timeout: Self.completionTimeout
            )
        } catch {
            throw APIError(error)
        }
        guard let file = reply.message.file else { throw .internalError }
        return file
    }
}

/// An upload that a scheduler has begun; it stays on that scheduler.
struct StagedUpload: Sendable {
    var id: String
    var endpoint: RPCClient.Endpoint
    /// Largest chunk that the scheduler takes; 0: it did not say.
    var maximumChunkBytes: Int
}
