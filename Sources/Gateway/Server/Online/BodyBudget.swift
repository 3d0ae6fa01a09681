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

/// The body of one request, for as long as this object lives or until it is released.
final class HeldBody: Sendable {
    private struct State {
        var bytes = ByteBuffer()
        /// A call has begun to send the bytes and not taken them yet.
        var isAwaited = false
        var isReleased = false
    }

    private let budget: BodyBudget
    private let state = Mutex(State())

    init(budget: BodyBudget) {
        self.budget = budget
    }

    deinit {
        self.state.withLock { $0.isAwaited = false }
        self.release()
    }

    /// What is held; nothing once it was released.
    var bytes: ByteBuffer { self.state.withLock { $0.bytes } }

    /// The body for one try of a call.
    func pieces() -> HeldBodyPieces {
        self.state.withLock { $0.isAwaited = true }
        return HeldBodyPieces(body: self)
    }

    /// The body for who sends it. An engine may answer before it has asked for it: then it is let go of here.
    fileprivate func take() -> ByteBuffer {
        let (bytes, isReleased) = self.state.withLock { state in
            state.isAwaited = false
            return (state.bytes, state.isReleased)
        }
        if isReleased { self.release() }
        return bytes
    }

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
        self.state.withLock { state in
            // Most bodies come in one piece.
            if state.bytes.readableBytes == 0 { state.bytes = piece } else { state.bytes.writeImmutableBuffer(piece) }
        }
    }

    /// Lets go of the bytes, once a call that has begun to send them has taken them.
    func release() {
        let bytes = self.state.withLock { state in
            state.isReleased = true
            guard !state.isAwaited else { return 0 }
            defer { state.bytes = ByteBuffer() }
            return state.bytes.readableBytes
        }
        self.budget.give(bytes)
    }
}

/// Gives a held body to a call, without another reference to it.
struct HeldBodyPieces: AsyncSequence, Sendable {
    fileprivate let body: HeldBody

    struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate var body: HeldBody?

        mutating func next() async -> ByteBuffer? {
            self.body.take()?.take()
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(body: self.body) }
}
