import NIOCore
import ProtoMessages
import ProtoRPC
import Testing

/// Calls over real sockets, both ends ours.
@Suite(.timeLimit(.minutes(1))) struct CallTests {
    @Test func aCallBringsBackTheAnswer() async throws {
        try await withServer { server in
            try await withClient(of: server) { client in
                let message = Envelope.KeyValue(key: "k", value: "v")
                let reply = try await client.reply(echo, message)
                #expect(reply.message == message)
                #expect(reply.endpoint == server.endpoint)
            }
        }
    }

    @Test("G2-06 an empty message goes both ways") func emptyMessage() async throws {
        try await withServer { server in
            try await withClient(of: server) { client in
                let answer = try await client.echo(Envelope.KeyValue())
                #expect(answer == Envelope.KeyValue())
            }
        }
    }

    @Test func aThousandConcurrentCallsGetTheirOwnAnswers() async throws {
        try await withServer { server in
            try await withClient(of: server) { client in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<1_000 {
                        group.addTask {
                            let message = Envelope.KeyValue(
                                key: "\(number)",
                                value: String(repeating: "x", count: number)
                            )
                            let answer = try await client.echo(message)
                            #expect(answer == message)
                        }
                    }
                    try await group.waitForAll()
                }
            }
        }
    }

    @Test("G3-04 metadata arrives in lower case, repeated keys with it")
    func metadata() async throws {
        var router = RPCRouter()
        router.register(echo) { _, context in
            let values = context.metadata.values(of: "trace").joined(separator: ",")
            return Envelope.KeyValue(key: context.requestID, value: values)
        }
        try await withServer(router: router) { server in
            try await withClient(of: server) { client in
                let options = CallOptions(metadata: [("Trace", "a"), ("Request-ID", "r-1"), ("TRACE", "b")])
                let answer = try await client.echo(Envelope.KeyValue(), options: options)
                #expect(answer == Envelope.KeyValue(key: "r-1", value: "a,b"))
            }
        }
    }

    @Test func aHandlersErrorArrivesWithItsDetails() async throws {
        let thrown = RPCError(
            code: .failedPrecondition,
            message: "the upload is closed",
            details: [Envelope.AnyMessage(typeURL: "type/x", value: ByteBuffer(string: "detail"))]
        )
        var router = RPCRouter()
        router.register(echo) { _, _ in throw thrown }
        try await withServer(router: router) { server in
            try await withClient(of: server) { client in
                let error = await failure { try await client.echo(.init()) }
                #expect(error == thrown)
            }
        }
    }

    @Test func anyOtherErrorOfAHandlerStaysOnTheServer() async throws {
        struct Secret: Error { let text = "secret" }
        var router = RPCRouter()
        router.register(echo) { _, _ in throw Secret() }
        try await withServer(router: router) { server in
            try await withClient(of: server) { client in
                let error = await failure { try await client.echo(.init()) }
                #expect(error?.code == .internal)
                #expect(error?.message.contains("secret") == false)
            }
        }
    }

    @Test("G5-02 an unknown service or method is UNIMPLEMENTED, and nothing has run")
    func unknown() async throws {
        let noMethod = RPCMethod<Envelope.KeyValue, Envelope.KeyValue>(service: echo.service, name: "No")
        let noService = RPCMethod<Envelope.KeyValue, Envelope.KeyValue>(service: "no.v1.No", name: "Echo")
        try await withServer { server in
            try await withClient(of: server) { client in
                for method in [noMethod, noService] {
                    let error = await failure { try await client.call(method, .init()) }
                    #expect(error?.code == .unimplemented)
                    #expect(error?.notSent == true)
                }
            }
        }
    }

    @Test("G5-04 a request that does not fit is refused before it is sent")
    func oversizedRequest() async throws {
        try await withServer { server in
            try await withClient(of: server) { client in
                let message = Envelope.KeyValue(value: String(repeating: "x", count: 4 << 20))
                let error = await failure { try await client.echo(message) }
                #expect(error?.code == .resourceExhausted)
                #expect(error?.notSent == true)
            }
        }
    }

    @Test("G5-04 an answer that does not fit is RESOURCE_EXHAUSTED and the connection goes on")
    func oversizedResponse() async throws {
        var router = echoRouter()
        let large = RPCMethod<Envelope.KeyValue, Envelope.KeyValue>(service: echo.service, name: "Large")
        router.register(large) { _, _ in Envelope.KeyValue(value: String(repeating: "x", count: 4 << 20)) }
        try await withServer(router: router) { server in
            try await withClient(of: server) { client in
                let error = await failure { try await client.call(large, .init()) }
                #expect(error?.code == .resourceExhausted)
                #expect(error?.notSent == false)
                let answer = try await client.echo(.init(key: "on"))
                #expect(answer == .init(key: "on"))
            }
        }
    }

    @Test func largeMessagesGoBothWays() async throws {
        try await withServer { server in
            try await withClient(of: server) { client in
                for size in [15 << 10, 16 << 10, 200 << 10, 3 << 20] {
                    let message = Envelope.KeyValue(key: "k", value: String(repeating: "x", count: size))
                    let options = CallOptions(lane: .bulk)
                    let answer = try await client.echo(message, options: options)
                    #expect(answer == message)
                }
            }
        }
    }
}
