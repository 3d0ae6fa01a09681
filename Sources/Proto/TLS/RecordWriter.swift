import NIOCore

/// Gathers writes to whole records, and knows whose write has been encrypted. A record costs the same work whether it
/// carries ten bytes or 16 KiB.
struct RecordWriter {
    /// What is too little for a record so far.
    private var gathered = ByteBuffer()
    /// Promises of writes in their order; the first `encryptedCount` are for content that has been encrypted in full.
    private var promises: [EventLoopPromise<Void>] = []
    private var encryptedCount = 0

    /// Encrypts all whole records, and keeps the rest.
    mutating func write(
        _ buffer: ByteBuffer,
        promise: EventLoopPromise<Void>?,
        through connection: TLSConnection
    ) -> TLSError? {
        var rest = buffer
        var error = self.fillRecord(from: &rest, through: connection)
        let wholeBytes = rest.readableBytes / TLSConnection.recordBytes * TLSConnection.recordBytes
        if error == nil, let whole = rest.readSlice(length: wholeBytes) {
            // Straight from the caller's buffer.
            error = whole.withUnsafeReadableBytes { connection.write($0) }
        }
        self.gathered.writeImmutableBuffer(rest)
        self.add(promise)
        return error
    }

    /// Tops up what was gathered before, so that the order is kept.
    private mutating func fillRecord(from rest: inout ByteBuffer, through connection: TLSConnection) -> TLSError? {
        guard self.gathered.readableBytes > 0 else { return nil }
        let missing = TLSConnection.recordBytes - self.gathered.readableBytes
        guard let head = rest.readSlice(length: min(missing, rest.readableBytes)) else { return nil }
        self.gathered.writeImmutableBuffer(head)
        guard self.gathered.readableBytes == TLSConnection.recordBytes else { return nil }
        return self.finishRecord(through: connection)
    }

    /// Encrypts what is left as a record of its own.
    mutating func finishRecord(through connection: TLSConnection) -> TLSError? {
        let error = self.gathered.withUnsafeReadableBytes { connection.write($0) }
        self.gathered.clear()
        self.encryptedCount = self.promises.count
        return error
    }

    /// Adds the promise of what was written last.
    mutating func add(_ promise: EventLoopPromise<Void>?) {
        if let promise { self.promises.append(promise) }
        if self.gathered.readableBytes == 0 { self.encryptedCount = self.promises.count }
    }

    /// One promise for all whose content is in the records that are passed on now.
    mutating func takePromise() -> EventLoopPromise<Void>? {
        let taken = self.promises.prefix(self.encryptedCount)
        guard let first = taken.first else { return nil }
        let others = Array(taken.dropFirst())
        self.promises.removeFirst(self.encryptedCount)
        self.encryptedCount = 0
        if !others.isEmpty {
            first.futureResult.whenComplete { result in
                for promise in others { promise.completeWith(result) }
            }
        }
        return first
    }

    /// Fails all that has not been passed on.
    mutating func fail(_ error: any Error) {
        let promises = self.promises
        self.promises = []
        self.encryptedCount = 0
        self.gathered.clear()
        for promise in promises { promise.fail(error) }
    }
}
