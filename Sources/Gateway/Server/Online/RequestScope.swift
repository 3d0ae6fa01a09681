import GatewayAPI
import HTTPTypes
import HummingbirdCore
import NIOCore

/// Lets the handler of a request keep something open until its answer is written as a whole: a call to the scheduler,
/// whose lifetime is that of a closure.
///
/// What it begins is a child task of the task that answers the request. It is cancelled when the request is over and at
/// once when the client has gone, in whatever state the request is then.
final class RequestScope: Sendable {
    typealias Job = @Sendable () async -> Void

    /// The scope of the request that the task answers.
    @TaskLocal static var current: RequestScope?

    private let jobs: AsyncStream<Job>
    private let inbox: AsyncStream<Job>.Continuation

    private init() {
        (self.jobs, self.inbox) = AsyncStream.makeStream()
    }

    /// Begins the one job of the request; its answer is not written before the scope is left.
    func begin(_ job: @escaping Job) {
        self.inbox.yield(job)
        self.inbox.finish()
    }

    /// A responder that gives requests to engines a scope.
    static func around(_ responder: @escaping HTTPChannelHandler.Responder) -> HTTPChannelHandler.Responder {
        { request, writer, channel in
            guard let presence = ClientPresence.current, Self.isNeeded(by: request) else {
                return try await responder(request, writer, channel)
            }
            var writer = Optional(writer)
            try await Self.run(presence) {
                guard let writer = writer.take() else { return }
                try await responder(request, writer, channel)
            }
        }
    }

    private static func isNeeded(by request: Request) -> Bool {
        let head = RequestHead(method: request.method.rawValue, target: request.head.path ?? "")
        guard let route = try? Route(method: head.method, path: head.path), case .inference = route else {
            return false
        }
        return true
    }

    private static func run(_ presence: ClientPresence, _ body: () async throws -> Void) async throws {
        let scope = RequestScope()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for await job in scope.jobs { await Self.run(job, whileThere: presence) }
            }
            defer { group.cancelAll() }
            try await Self.$current.withValue(scope) { try await body() }
        }
    }

    private static func run(_ job: @escaping Job, whileThere presence: ClientPresence) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await job() }
            group.addTask { await presence.untilLeft() }
            await group.next()
            group.cancelAll()
        }
    }
}
