import NIOCore
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
    public func call<Request, Response>(
        _ method: RPCMethod<Request, Response>,
        _ request: Request,
        options: CallOptions = CallOptions(),
        completion: @escaping @Sendable (Result<Response, RPCError>) -> Void
    ) {
        let now = NIODeadline.now()
        let deadline = now + TimeAmount(clamping: options.timeout)
        do throws(RPCError) {
            let connection = try self.connectionNow(options)
            let head = Self.head(method, deadline: deadline, now: now, options)
            connection.perform(head, request, deadline: deadline) { outcome in
                completion(Self.decode(outcome))
            }
        } catch {
            completion(.failure(error))
        }
    }

    private static func decode<Response: ProtoMessage>(_ outcome: ClientCall.Outcome) -> Result<Response, RPCError> {
        do throws(RPCError) {
            return .success(try self.decode(try outcome.get()))
        } catch {
            return .failure(error)
        }
    }

    private func connectionNow(_ options: CallOptions) throws(RPCError) -> ClientConnection {
        switch self.links.choose(lane: options.lane, endpoint: options.endpoint) {
        case .connection(let connection): return connection
        case .fail(let error): throw error
        case .wait:
            throw RPCError(code: .unavailable, message: "no connection is there yet; try again", notSent: true)
        }
    }
}
