/// Where the bytes of files live: a local directory here; S3 can be put behind the same protocol.
///
/// A blob is immutable once it is committed, and what is read of it is what was written or an error. Every call blocks:
/// call from threads of one's own.
public protocol BlobStore: Sendable {
    /// Starts a blob; its bytes are invisible until `commit`.
    func stage(_ name: String) throws(FileError) -> any StagedBlob
    /// Opens a blob.
    func open(_ key: String) throws(FileError) -> any BlobReader
    /// Removes a blob; a missing one is fine.
    func remove(_ key: String) throws(FileError)

    /// Names of the parts that the store is listed by.
    func shards() throws(FileError) -> [String]
    /// The keys of one part, in any order.
    func keys(in shard: String) throws(FileError) -> [String]
    /// Instances of the scheduler that have staged something.
    func stagingInstances() throws(FileError) -> [String]
    /// Drops all that an instance has staged; it must not be running.
    func dropStaging(of instance: String) throws(FileError)
}

/// A blob that is being written, by one writer at a time.
public protocol StagedBlob: Sendable {
    /// Adds bytes at `offset`, which is the number of bytes written before.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(FileError)
    /// Reads back what was written.
    func read(count: Int, at offset: Int64) throws(FileError) -> [UInt8]
    /// Makes the bytes so far durable, so that a commit of many bytes has little left to do.
    func sync() throws(FileError)
    /// Makes the blob durable and visible under `key`, in place of one that is there.
    func commit(as key: String) throws(FileError)
    /// Throws the bytes away.
    func abort() throws(FileError)
}

/// A blob that is read.
public protocol BlobReader: Sendable {
    /// Size in bytes.
    var bytes: Int64 { get }
    /// Reads up to `buffer.count` bytes at `offset`; fewer only at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(FileError) -> Int
    /// Reads up to `count` bytes at `offset`; fewer only at the end.
    func read(count: Int, at offset: Int64) throws(FileError) -> [UInt8]
}
