import Checksum
import GatewayAPI
import Hummingbird
import NIOCore
import ProtoMessages
import ProtoRPC

/// Streams the file of a form to the scheduler while the form comes in.
struct FileUploader: Sendable {
    let calls: SchedulerCalls
    let budget: TransferBudget
    let janitor: UploadJanitor

    /// Reads the form and stores its file; the upload is given up when anything fails.
    func upload(_ body: RequestBody, contentType: String) async throws -> File {
        var form = try FileFormStateMachine(contentType: contentType)
        return try await self.budget.withTransfer {
            var upload: ChunkedUpload?
            do {
                return try await self.store(body, form: &form, upload: &upload)
            } catch {
                upload?.abandon(to: self.janitor)
                throw error
            }
        }
    }

    private func store(
        _ body: RequestBody,
        form: inout FileFormStateMachine,
        upload: inout ChunkedUpload?
    ) async throws -> File {
        let writes = ChunkWrites()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            fatalError()
        }
    }
}
