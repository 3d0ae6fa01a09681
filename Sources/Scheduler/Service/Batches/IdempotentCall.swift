import NIOCore
import ProtoMessages
import ProtoRPC
import SchedulerStores

/// A call that carries an idempotency key: made again it has the answer of the first time (A2-10).
struct IdempotentCall: Sendable {
    /// Longest key, in bytes.
    static let maximumKeyBytes = 255

    private let scope: String
    private let key: String
    /// Tells another request under the same key.
    private let hash: [UInt8]

    /// The call of a method; nil: it has no key.
    init?(_ request: some ProtoMessage, of method: String, _ context: RPCContext) throws {
        guard let key = context.metadata["idempotency-key"] else { return nil }
        guard !key.isEmpty, key.utf8.count <= Self.maximumKeyBytes else {
            throw RPCErrors.invalid("Idempotency-Key", "The key has 1 to \(Self.maximumKeyBytes) bytes.")
        }
        self.scope = "\(context.tenant)/\(method)"
        self.key = key
        self.hash = SHA256.hash(try request.serialized().readableBytesView)
    }

    /// What is stored with the call's effect.
    func answered(_ answer: String, at now: Int64) -> RememberedAnswer {
        RememberedAnswer(scope: self.scope, key: self.key, requestHash: self.hash, answer: answer, createdAt: now)
    }

    /// What was answered the first time; nil: this is the first time.
    func earlierAnswer(in store: any MetadataStore, now: Int64) async throws -> String? {
        let found = try await store.rememberedAnswer(
            scope: self.scope,
            key: self.key,
            notBefore: now - RememberedAnswer.lifetimeSeconds
        )
        guard let found else { return nil }
        guard found.requestHash == self.hash else {
            throw RPCErrors.make(
                .alreadyExists,
                "This Idempotency-Key was used for another request: use a new one.",
                reason: "idempotency_key_reused"
            )
        }
        return found.answer
    }
}
