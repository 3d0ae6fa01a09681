import GatewayAPI
import ProtoMessages
import ProtoRPC

extension SchedulerCalls {
    /// Longest time for a scheduler to say how it is.
    private static let healthTimeout = Duration.seconds(2)

    /// Whether requests can be served: a scheduler answers and serves.
    ///
    /// - Throws: 503 when they cannot.
    func readiness() async throws(APIError) -> JSON {
        guard await self.isServing() else {
            throw .unavailable("No scheduler can take requests now.", code: "not_ready")
        }
        return .object([("status", .string("ready"))])
    }

    private func isServing() async -> Bool {
        do throws(RPCError) {
            let reply = try await self.reply(SessionService.health, HealthRequest(), timeout: Self.healthTimeout)
            return reply.message.status == .serving
        } catch {
            // A peer without the Session service answers, which is what matters.
            return error.code == .unimplemented
        }
    }
}
