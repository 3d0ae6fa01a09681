import SchedulerCore
import SchedulerStores

/// Where the bytes of files are: a blob under the file's key, and beside it the plan of a batch input.
struct FileBytes: Sendable {
    let blobs: any BlobStore
    let threads: any BlockingThreads

    static func planKey(_ fileID: String) -> String { fileID + ".plan" }

    /// The key of an output that the owner of an epoch writes: an owner that was fenced writes another one.
    static func outputKey(_ fileID: String, epoch: UInt32) -> String { "\(fileID).e\(epoch)" }

    /// The id of the file that a blob belongs to.
    static func fileID(ofKey key: String) -> String { String(key.prefix { $0 != "." }) }

    /// Blocking.
    func open(_ key: String) throws(FileError) -> any BlobReader {
        try self.blobs.open(key)
    }

    /// Blocking.
    func openPlan(of fileID: String) throws(FileError) -> any BlobReader {
        try self.blobs.open(Self.planKey(fileID))
    }

    /// Removes blobs that nobody reads any more.
    func remove(_ keys: [String]) async throws {
        try await self.threads.run {
            for key in keys { try self.blobs.remove(key) }
        }
    }
}
