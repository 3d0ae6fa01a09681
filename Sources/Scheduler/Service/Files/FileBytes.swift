import NIOPosix
import SchedulerStores

/// Where the bytes of files are: a blob under the file's id, and beside it the plan of a batch input.
struct FileBytes: Sendable {
    let blobs: any BlobStore
    let threads: NIOThreadPool

    static func planKey(_ fileID: String) -> String { fileID + ".plan" }

    /// Blocking.
    func open(_ fileID: String) throws(FileError) -> any BlobReader {
        try self.blobs.open(fileID)
    }

    /// Blocking.
    func openPlan(of fileID: String) throws(FileError) -> any BlobReader {
        try self.blobs.open(Self.planKey(fileID))
    }

    /// Removes the bytes of a file that nobody reads any more.
    func removeBytes(of fileID: String) async throws {
        try await self.threads.runIfActive {
            try self.blobs.remove(fileID)
            try self.blobs.remove(Self.planKey(fileID))
        }
    }
}
