import GatewayAPI
import Hummingbird
import ProtoMessages
import ProtoRPC

/// Stores a part of an upload (A8-02).
struct PartUploader: Sendable {
    let uploadID: String
    let uploader: FormUploader

    /// Reads the form and stores its part.
    func upload(_ body: RequestBody, contentType: String) async throws -> UploadPart {
        try await self.uploader.upload(
            body,
            try PartFormStateMachine(contentType: contentType),
            what: "part",
            begin: { _ in try await self.begin() },
            complete: { part, bytes in try await self.complete(part, bytes) }
        )
    }

    private func begin() async throws(APIError) -> StagedUpload {
        do throws(RPCError) {
            let reply = try await self.uploader.calls.reply(
                UploadsService.beginPart,
                BeginPartRequest(uploadID: self.uploadID)
            )
            return StagedUpload(
                id: reply.message.partID,
                endpoint: reply.endpoint,
                maximumChunkBytes: Int(reply.message.maximumChunkBytes)
            )
        } catch {
            throw APIError(error)
        }
    }

    private func complete(_ part: StagedUpload, _ bytes: UInt64) async throws(APIError) -> UploadPart {
        let reply: RPCReply<CompletePartResponse>
        do throws(RPCError) {
            reply = try await self.uploader.calls.reply(
                UploadsService.completePart,
                CompletePartRequest(partID: part.id, bytes: bytes),
                endpoint: part.endpoint,
                timeout: FormUploader.completionTimeout
            )
        } catch {
            throw APIError(error)
        }
        guard let part = reply.message.part else { throw .internalError }
        return part
    }
}
