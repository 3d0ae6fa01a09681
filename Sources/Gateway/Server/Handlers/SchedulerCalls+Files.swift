import GatewayAPI
import ProtoMessages

extension SchedulerCalls {
    func getFile(_ id: String) async throws(APIError) -> JSON {
        let reply = try await self.call(FilesService.getFile, GetFileRequest(fileID: id))
        guard let file = reply.file else { throw .internalError }
        return JSON(file)
    }

    func deleteFile(_ id: String) async throws(APIError) -> JSON {
        _ = try await self.call(FilesService.deleteFile, DeleteFileRequest(fileID: id))
        return .deletedFile(id: id)
    }

    func listFiles(_ parameters: ListFilesParameters) async throws(APIError) -> JSON {
        var list = StitchedList(limit: parameters.limit, after: parameters.after)
        while list.wantsMore {
            let request = ListFilesRequest(
                purpose: parameters.purpose,
                limit: UInt32(clamping: list.missing),
                after: list.after,
                ascending: parameters.ascending
            )
            let reply = try await self.call(FilesService.listFiles, request)
            try list.append(reply.files.map { JSON($0) }, lastID: reply.files.last?.id, hasMore: reply.hasMore)
        }
        return list.page
    }
}
