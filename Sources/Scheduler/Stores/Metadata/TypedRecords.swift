import Foundation
public import SchedulerCore

/// An object together with the version under which it was read.
public struct Versioned<Object: Sendable>: Sendable {
    /// The object.
    public var object: Object
    /// Its version in the store.
    public var version: Int64

    /// Pairs them.
    public init(_ object: Object, version: Int64) {
        self.object = object
        self.version = version
    }
}

/// An object that the metadata store keeps: JSON with a format number, readable by a person with a SQLite shell.
public protocol StoredObject: Codable, Sendable {
    /// Which kind of record it is.
    static var kind: RecordKind { get }
    /// Its id.
    var id: String { get }
    /// Whose it is.
    var tenant: String { get }
    /// What lists filter by.
    var label: String { get }
    /// What it counts towards its tenant's quotas.
    var weight: RecordWeight { get }
}

extension StoredObject {
    /// Nothing.
    public var weight: RecordWeight { RecordWeight() }
}

extension FileRecord: StoredObject {
    /// A file's record.
    public static var kind: RecordKind { .file }
    /// Lists filter by purpose.
    public var label: String { self.purpose.rawValue }
    /// Its bytes.
    public var weight: RecordWeight { RecordWeight(bytes: self.bytes) }
}

extension BatchRecord: StoredObject {
    /// Label of batches that go on.
    public static let activeLabel = "active"
    /// Label of batches that are to end early.
    public static let cancellingLabel = "cancelling"
    /// Label of batches whose record cannot be read.
    public static let quarantinedLabel = "quarantined"
    /// A batch's record.
    public static var kind: RecordKind { .batch }
    /// Its requests, until it has ended.
    public var weight: RecordWeight {
        guard let enqueued, !self.status.isTerminal else { return RecordWeight() }
        return RecordWeight(requests: enqueued.requests, tokens: enqueued.tokens)
    }
    /// The unfinished ones are looked for by schedulers that have room.
    public var label: String {
        self.status.isTerminal ? "ended" : self.status == .cancelling ? Self.cancellingLabel : Self.activeLabel
    }
}

extension UploadRecord: StoredObject {
    /// Label of uploads that go on.
    public static let pendingLabel = "pending"
    /// Label of uploads that have ended and still have parts.
    public static let releasingLabel = "releasing"
    /// Label of uploads that have ended.
    public static let endedLabel = "ended"
    /// An upload's record.
    public static var kind: RecordKind { .upload }
    /// Nothing: its parts count.
    public var weight: RecordWeight { RecordWeight() }
    /// The sweep looks for those that it has to do something about.
    public var label: String {
        self.status == .pending ? Self.pendingLabel : self.holdsParts ? Self.releasingLabel : Self.endedLabel
    }
}

extension UploadPartRecord: StoredObject {
    /// A part's record.
    public static var kind: RecordKind { .uploadPart }
    /// Its bytes.
    public var weight: RecordWeight { RecordWeight(bytes: self.bytes) }
    /// Parts are looked for by their upload.
    public var label: String { self.uploadID }
}

/// What is written: the object and the number of its format.
private struct Envelope<Object: StoredObject>: Codable {
    var format: Int
    var object: Object
}

/// The part of an envelope that every format has.
private struct Format: Decodable {
    var format: Int
}

/// The version of the objects' JSON that this code reads and writes.
private let objectFormat = 1

extension StoredRecord {
    /// Encodes an object; `version` is the one it was read under, 0 for a new one.
    public init(_ object: some StoredObject, version: Int64 = 0) throws(StoreError) {
        guard let payload = try? JSONEncoder().encode(Envelope(format: objectFormat, object: object)) else {
            throw .unreadable("\(object.id) cannot be encoded")
        }
        self.init(
            key: RecordKey(type(of: object).kind, object.id),
            tenant: object.tenant,
            label: object.label,
            version: version,
            payload: Array(payload)
        )
        self.weight = object.weight
    }

    /// Decodes the object.
    public func decoded<Object: StoredObject>(_: Object.Type) throws(StoreError) -> Versioned<Object> {
        let data = Data(self.payload)
        guard let format = try? JSONDecoder().decode(Format.self, from: data).format else {
            throw .unreadable("\(self.key.id) is not a record")
        }
        guard format == objectFormat else {
            throw .unreadable("\(self.key.id) has record format \(format); this version reads \(objectFormat)")
        }
        guard let object = try? JSONDecoder().decode(Envelope<Object>.self, from: data).object else {
            throw .unreadable("\(self.key.id) is damaged")
        }
        return Versioned(object, version: self.version)
    }
}

extension MetadataStore {
    /// The object, or nil.
    public func get<Object: StoredObject>(
        _ type: Object.Type,
        _ id: String
    ) async throws(StoreError) -> Versioned<Object>? {
        try await self.get(RecordKey(Object.kind, id))?.decoded(type)
    }
}
