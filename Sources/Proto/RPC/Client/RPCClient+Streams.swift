import NIOCore
import ProtoFraming
public import ProtoMessages

extension RPCClient {
    /// Calls a method that answers with a stream.
    ///
    /// - Parameters:
    ///   - method: the method's name and types.
    ///   - request: its one request message.
    ///   - options: how it is called; the timeout is for the stream as a whole and travels with it.
    ///   - body: consumes the messages. Leaving it, by returning or by throwing, cancels the stream unless it has
    ///     ended; a server without the Session service goes on until the timeout then (G5-07).
    /// - Returns: what `body` gives.
    /// - Throws: what `body` throws; before it runs, what `call` throws for a call that is not sent.
    public func withStream<Request, Response, Result>(
        _ method: RPCServerStreamMethod<Request, Response>,
        _ request: Request,
        options: CallOptions = CallOptions(),
        isolation: isolated (any Actor)? = #isolation,
        _ body: (RPCMessages<Response>) async throws -> Result
    ) async throws -> Result {
        let maximum = self.configuration.frame.maximumDataBytes
        let (connection, stream) = try await self.open(
            .serverStream,
            .init(service: method.service, method: method.name),
            options: options
        ) { head throws(RPCError) in
            try FrameEncoding.request(head, request, maximumDataBytes: maximum)
        }
        defer { connection.close(stream) }
        return try await body(RPCMessages(source: stream))
    }

    /// Calls a method that takes a stream, and gives its answer.
    ///
    /// - Parameters:
    ///   - method: the method's name and types.
    ///   - options: how it is called; the timeout is for the stream as a whole and travels with it.
    ///   - body: sends the messages. Returning says that there are no more, throwing cancels the stream. A server may
    ///     answer early: then sending throws and so should `body`, or not, if the answer is to be had all the same.
    /// - Throws: what `body` throws, and what `call` throws.
    public func withStream<Request, Response>(
        _ method: RPCClientStreamMethod<Request, Response>,
        options: CallOptions = CallOptions(),
        isolation: isolated (any Actor)? = #isolation,
        _ body: (RPCWriter<Request>) async throws -> Void
    ) async throws -> Response {
        let (connection, stream) = try await self.open(
            .clientStream,
            .init(service: method.service, method: method.name),
            options: options
        )
        defer { connection.close(stream) }
        try await body(RPCWriter(sink: stream))
        stream.halfClose()
        guard let payload = try await stream.next() else {
            throw RPCError(code: .internal, message: "the server ended the stream without an answer")
        }
        return try Self.decode(payload)
    }

    /// Opens a stream both ways.
    ///
    /// - Parameters:
    ///   - method: the method's name and types.
    ///   - options: how it is called; the timeout is for the stream as a whole and travels with it.
    ///   - body: sends and consumes messages, in one task or two. Leaving it cancels the stream unless the server has
    ///     ended it: to see the server's end, say `finish` and consume what still comes.
    /// - Returns: what `body` gives.
    /// - Throws: what `body` throws; before it runs, what `call` throws for a call that is not sent.
    public func withStream<Request, Response, Result>(
        _ method: RPCBidirectionalMethod<Request, Response>,
        options: CallOptions = CallOptions(),
        isolation: isolated (any Actor)? = #isolation,
        _ body: (RPCRequestWriter<Request>, RPCMessages<Response>) async throws -> Result
    ) async throws -> Result {
        let (connection, stream) = try await self.open(
            .bidirectional,
            .init(service: method.service, method: method.name),
            options: options
        )
        defer { connection.close(stream) }
        return try await body(RPCRequestWriter(stream: stream), RPCMessages(source: stream))
    }

    private func open(
        _ kind: StreamKind,
        _ head: FrameEncoding.Head,
        options: CallOptions
    ) async throws(RPCError) -> (ClientConnection, ClientStream) {
        let maximum = self.configuration.frame.maximumDataBytes
        return try await self.open(kind, head, options: options) { head throws(RPCError) in
            try FrameEncoding.request(head, maximumDataBytes: maximum)
        }
    }
}

/// The client's half of a stream both ways.
public struct RPCRequestWriter<Message: ProtoMessage>: Sendable {
    let stream: ClientStream

    /// Sends a message; waits and throws as `RPCWriter.send` does.
    public func send(_ message: Message) async throws(RPCError) {
        try await RPCWriter(sink: self.stream).send(message)
    }

    /// Says that no more messages follow; what the server sends still comes. Saying it again does nothing.
    public func finish() {
        self.stream.halfClose()
    }
}
