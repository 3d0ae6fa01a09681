import NIOCore
import ProtoFraming
import ProtoMessages
import ProtoRPC
import Testing

@Suite(.timeLimit(.minutes(1))) struct DeadlineTests {
    private let message = Envelope.KeyValue(key: "k")

    @Test("G5-07 the server answers at the deadline and cancels the handler")
    func server() async throws {
        let stage = Stage()
        try await withServer(router: stage.router()) { server in
            try await withRawClient(port: server.port) { peer in
                try await peer.send(try request(1, method: "Wait", self.message, timeoutNano: 2_000_000_000))
                let response = try await peer.nextResponse()
                #expect(response?.code == RPCStatus.Code.deadlineExceeded.rawValue)
                #expect(await stage.next() == "began")
                #expect(await stage.next() == "cancelled")
            }
        }
    }

    @Test func aHandlerThatIgnoresItsDeadlineIsAnsweredForAndItsLateAnswerDropped() async throws {
        let stage = Stage()
        try await withServer(router: stage.router()) { server in
            try await withRawClient(port: server.port) { peer in
                try await peer.send(try request(1, method: "Hold", self.message, timeoutNano: 5_000_000))
                let response = try await peer.nextResponse()
                #expect(response?.code == RPCStatus.Code.deadlineExceeded.rawValue)
                stage.curtain.open()
                try await peer.send(try request(3, self.message))
                #expect(try await peer.nextResponse()?.streamID == 3)
            }
        }
    }

    @Test func aLaterCallWithAnEarlierDeadlineEndsFirst() async throws {
        let stage = Stage()
        try await withServer(router: stage.router()) { server in
            try await withRawClient(port: server.port) { peer in
                try await peer.send(
                    try request(1, method: "Wait", self.message, timeoutNano: 60_000_000),
                    try request(3, method: "Wait", self.message, timeoutNano: 5_000_000)
                )
                #expect(try await peer.nextResponse()?.streamID == 3)
                #expect(try await peer.nextResponse()?.streamID == 1)
            }
        }
    }

    @Test("G3-05 the timeout travels with the call")
    func travels() async throws {
        var router = RPCRouter()
        router.register(echo) { _, context in
            let remaining = context.remaining ?? .zero
            return Envelope.KeyValue(key: remaining > .seconds(60) && remaining <= .seconds(100) ? "in range" : "")
        }
        try await withServer(router: router) { server in
            try await withClient(of: server) { client in
                let answer = try await client.echo(self.message, options: CallOptions(timeout: .seconds(100)))
                #expect(answer.key == "in range")
            }
        }
    }

    @Test("G4-03 the client stops waiting at the deadline and drops the late answer")
    func client() async throws {
        try await withScriptedServer { listener in
            try await listener.accept { peer in
                #expect(try await peer.nextFrame()?.streamID == 1)
                // The second call comes only after the first was given up.
                #expect(try await peer.nextFrame()?.streamID == 3)
                try await peer.send(
                    try response(1, Envelope.KeyValue(key: "late")),
                    try response(3, Envelope.KeyValue(key: "second"))
                )
                #expect(try await peer.nextFrame() == nil)
            }
        } client: { client in
            await client.until { !$0.isEmpty }
            let options = CallOptions(timeout: .milliseconds(500))
            let error = await failure { try await client.echo(self.message, options: options) }
            #expect(error?.code == .deadlineExceeded)
            #expect(error?.notSent == false)
            let answer = try await client.echo(self.message)
            #expect(answer == Envelope.KeyValue(key: "second"))
        }
    }
}
