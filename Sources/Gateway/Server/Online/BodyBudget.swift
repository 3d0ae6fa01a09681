import GatewayAPI
import NIOCore
import Synchronization

/// Bounds the memory for bodies of online requests, over all of them: a body is held until the engine has begun to
/// answer.
final class BodyBudget: Sendable {
    private let maximumBytes: Int
    private let held = Atomic(0)

    init(maximumBytes: Int) {
        self.maximumBytes = maximumBytes
    }

    /// Bytes that are held now.
    var bytes: Int { self.held.load(ordering: .relaxed) }

    fileprivate func take(_ bytes: Int) -> Bool {
        let held = self.held.add(bytes, ordering: .relaxed).newValue
        guard held > self.maximumBytes else { return true }
        self.give(bytes)
        return false
    }

    fileprivate func give(_ bytes: Int) {
        self.held.subtract(bytes, ordering: .relaxed)
    }
}

/// The body of one request, for as long as this object lives or until it is released. For one event loop.
final class HeldBody {
    private let budget: BodyBudget
    /// What is held; nothing once it was released.
    private(set) var bytes = ByteBuffer()

    init(budget: BodyBudget) {
        self.budget = budget
    }

    deinit { self.release() }

    /// Adds a piece.
    ///
    /// - Throws: 413 when the body becomes too large, 503 when all bodies together do.
    func append(_ piece: ByteBuffer) throws(APIError) {
        let limit = InferenceRequest.maximumBytes
        guard self.bytes.readableBytes + piece.readableBytes <= limit else {
            throw .tooLarge(
                "The request body is too large: at most \(limit) bytes are allowed here.",
                code: "request_too_large"
            )
        }
        guard self.budget.take(piece.readableBytes) else {
            throw .unavailable("Too many large requests are under way. Try again in a moment.", code: "slow_down")
        }
        // Most bodies come in one piece.
        if self.bytes.readableBytes == 0 { self.bytes = piece } else { self.bytes.writeImmutableBuffer(piece) }
    }

    /// Lets go of the bytes.
    func release() {
        self.budget.give(self.bytes.readableBytes)
        self.bytes = ByteBuffer()
    }
}
