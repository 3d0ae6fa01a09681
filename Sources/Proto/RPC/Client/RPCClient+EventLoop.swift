public import NIOCore
public import ProtoMessages

extension RPCClient {
    /// Calls a method without a task: for code that lives on event loops, at several times the calls of the other `call`.
    ///
    /// It is one attempt on a connection that exists: it neither waits for one nor tries again.
    ///
    /// - Parameters:
    ///   - method: the method's name and types.
    ///   - request: the message.
    ///   - options: as for the other `call`.
    ///   - completion: called once with the answer, or with what the other `call` throws, on the event loop of the
    ///     connection; before this returns if the call cannot be sent. It must not block.
    @inlinable
    public func call<Request, Response>(
        _ method: RPCMethod<Request, Response>,
        _ request: Request,
        options: CallOptions = CallOptions(),
        completion: @escaping @Sendable (Result<Response, RPCError>) -> Void
    ) {
        self.exchange(method.call, request, options) { outcome in
            do throws(RPCError) {
                completion(.success(try RPCClient.decode(try outcome.get())))
            } catch {
                completion(.failure(error))
            }
        }
    }

    /// The part of a call that does not know the answer's type.
    @usableFromInline
    func exchange(
        _ method: RPCMethodCall,
        _ request: some ProtoMessage,
        _ options: CallOptions,
        completion: @escaping @Sendable (Result<ByteBuffer, RPCError>) -> Void
    ) {
        do throws(RPCError) {
            try self.connectionNow(options).perform(method, request, options, completion: completion)
        } catch {
            completion(.failure(error))
        }
    }

    func connectionNow(_ options: CallOptions) throws(RPCError) -> ClientConnection {
        switch self.links.choose(lane: options.lane, endpoint: options.endpoint) {
        case .connection(let connection): return connection
        case .fail(let error): throw error
        case .wait:
            throw RPCError(code: .unavailable, message: "no connection is there yet; try again", notSent: true)
        }
    }
}
