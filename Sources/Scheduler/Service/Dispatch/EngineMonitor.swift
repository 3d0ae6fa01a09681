import Logging
import SchedulerCore
import SchedulerEngines
import ServiceLifecycle

/// Asks engines which models they serve: at the start, when one could not be reached, and now and then.
struct EngineMonitor: Service {
    /// How often a ready engine is asked again, in case its models changed.
    private static let refreshInterval = Duration.seconds(30)
    /// First and longest pause between questions to an engine that does not answer.
    private static let firstPause = Duration.milliseconds(100)
    private static let longestPause = Duration.seconds(3)

    let engines: [(index: Int, client: any Engine)]
    let dispatcher: Dispatcher
    let platform: Platform
    let logger: Logger

    func run() async throws {
        await self.platform.untilShutdown {
            await withDiscardingTaskGroup { group in
                var alarms: [Int: AsyncStream<Void>.Continuation] = [:]
                for engine in self.engines {
                    let (stream, alarm) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
                    alarms[engine.index] = alarm
                    alarm.yield()
                    group.addTask { await self.watch(engine.index, engine.client, alarms: stream) }
                    group.addTask {
                        while (try? await self.platform.time.sleep(Self.refreshInterval)) != nil { alarm.yield() }
                    }
                }
                for await index in self.dispatcher.enginesToAsk {
                    alarms[index]?.yield()
                }
                group.cancelAll()
            }
        }
    }

    /// At each alarm asks until the engine answers.
    private func watch(_ index: Int, _ client: any Engine, alarms: AsyncStream<Void>) async {
        var lastReport: String?
        for await _ in alarms {
            var pause = Self.firstPause
            while !Task.isCancelled {
                do throws(AttemptFailure) {
                    let models = try await client.models()
                    self.dispatcher.engineIsReady(index, models: models)
                    self.report("engine is ready", client, models.joined(separator: ", "), &lastReport)
                    break
                } catch {
                    guard !Task.isCancelled else { return }
                    self.dispatcher.engineIsDown(index, reason: "engine \(client.address.url): \(error.message)")
                    self.report("engine does not answer", client, error.message, &lastReport)
                    try? await self.platform.time.sleep(pause)
                    pause = min(pause * 2, Self.longestPause)
                }
            }
        }
    }

    /// Says it once.
    private func report(_ text: String, _ client: any Engine, _ detail: String, _ last: inout String?) {
        guard last != text + detail else { return }
        last = text + detail
        self.logger.notice("\(text)", metadata: ["engine": "\(client.address.url)", "detail": "\(detail)"])
    }
}
