import GRPCCore
import GRPCNIOTransportHTTP2Posix

/// grpc-swift-2 over its NIO transport. Its messages are the bytes themselves, which spares it protobuf.
struct GRPC: Sendable {
    private static let method = MethodDescriptor(fullyQualifiedService: "bench.v1.Echo", method: "Echo")

    private struct Bytes: MessageSerializer, MessageDeserializer {
        func serialize<Buffer: GRPCContiguousBytes>(_ message: [UInt8]) throws -> Buffer { Buffer(message) }

        func deserialize<Buffer: GRPCContiguousBytes>(_ bytes: Buffer) throws -> [UInt8] {
            bytes.withUnsafeBytes { Array($0) }
        }
    }

    private struct Echo: RegistrableRPCService {
        func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
            router.registerHandler(forMethod: GRPC.method, deserializer: Bytes(), serializer: Bytes()) { request, _ in
                let request = try await ServerRequest(stream: request)
                return StreamingServerResponse(single: ServerResponse(message: request.message))
            }
        }
    }

    private let client: GRPCClient<HTTP2ClientTransport.Posix>

    /// A server and a client while `body` runs.
    static func with(_ loops: EventLoops, _ body: @escaping @Sendable (GRPC) async throws -> Void) async throws {
        let transport = HTTP2ServerTransport.Posix(
            address: .ipv4(host: "127.0.0.1", port: 0),
            transportSecurity: .plaintext,
            eventLoopGroup: loops.server
        )
        let server = GRPCServer(transport: transport, services: [Echo()])
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.serve() }
            let port = try await transport.listeningAddress.ipv4?.port ?? 0
            let client = GRPCClient(
                transport: try .http2NIOPosix(
                    target: .ipv4(address: "127.0.0.1", port: port),
                    transportSecurity: .plaintext,
                    eventLoopGroup: loops.client
                )
            )
            group.addTask { try await client.runConnections() }
            try await body(GRPC(client: client))
            client.beginGracefulShutdown()
            server.beginGracefulShutdown()
            try await group.waitForAll()
        }
    }

    func unary(payloadBytes: Int, inFlight: Int, count: Int) async throws -> Sample {
        let request = [UInt8](repeating: 42, count: payloadBytes)
        var options = CallOptions.defaults
        options.timeout = .seconds(30)
        let metadata: Metadata = ["tenant": "default", "request-id": "0123456789abcdef"]
        return try await inParallel(inFlight, count: count) { [options] in
            _ = try await self.client.unary(
                request: ClientRequest(message: request, metadata: metadata),
                descriptor: Self.method,
                serializer: Bytes(),
                deserializer: Bytes(),
                options: options
            ) { try $0.message }
        }
    }
}
