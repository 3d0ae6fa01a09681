extension Route {
    /// What a request of this route changes, such as `batch.cancel`, and the object's id if the path has it; nil for
    /// routes that change nothing.
    public var change: (action: String, objectID: String?)? {
        switch self {
        case .uploadFile: ("file.create", nil)
        case .deleteFile(let id): ("file.delete", id)
        case .createUpload: ("upload.create", nil)
        case .addUploadPart(let id): ("upload.add_part", id)
        case .completeUpload(let id): ("upload.complete", id)
        case .cancelUpload(let id): ("upload.cancel", id)
        case .createBatch: ("batch.create", nil)
        case .cancelBatch(let id): ("batch.cancel", id)
        case .deleteBatch(let id): ("batch.delete", id)
        case .pauseBatch(let id): ("batch.pause", id)
        case .resumeBatch(let id): ("batch.resume", id)
        case .retryBatch(let id): ("batch.retry", id)
        case .listFiles, .getFile, .getFileContent, .getUpload, .listBatches, .getBatch, .getBatchResults, .listModels,
            .getModel, .inference, .health, .readiness:
            nil
        }
    }
}
