import GatewayAPI
import Hummingbird
import ProtoMessages
import ProtoRPC

/// Stores the file of a form (A7-01).
struct FileUploader: Sendable {
    let uploader: FormUploader

    /// Reads the form and stores its file.
    func upload(_ body: RequestBody, contentType: String) async throws -> File {
        try await self.uploader.upload(
            body,
            try FileFormStateMachine(contentType: contentType),
            what: "file",
            begin: { purpose in try await self.begin(purpose: purpose) },
            complete: { upload, details in try await self.complete(upload, details) }
        )
    }

    private func begin(purpose: String?) async throws(APIError) -> StagedUpload {
        do throws(RPCError) {
            let reply = try await self.uploader.calls.reply(
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
            reply = try await self.uploader.calls.reply(
                FilesService.completeUpload,
                request,
                endpoint: upload.endpoint,
                timeout: FormUploader.completionTimeout
            )
        } catch {
            throw APIError(error)
        }
        guard let file = reply.message.file else { throw .internalError }
        return file
    }
}
