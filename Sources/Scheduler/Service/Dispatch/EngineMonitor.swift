import Logging
import SchedulerCore
import SchedulerEngines
import ServiceLifecycle

/// Asks engines which models they serve: at the start, when one could not be reached, and now and then.
struct EngineMonitor: Service {
    /// How often a ready engine is asked again, in case its models changed.
    static let refreshInterval = Duration.seconds(30)
    /// First and longest pause between questions to an engine that does not answer.
    static let firstPause = Duration.milliseconds(100)
    static let longestPause = Duration.seconds(3)

    let engines: [(index: Int, client: EngineClient)]
    let dispatcher: Dispatcher
    let logger: Logger

    func run() async throws {
        try await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                let wakers = self.engines.map { engine in
                    let (alarms, alarm) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
                    group.addTask { await self.watch(engine.index, engine.client, alarms: alarms) }
                    return (engine.index, alarm)
                }
                for await index in self.dispatcher.unreachableEngines {
                    wakers.first { $0.0 == index }?.1.yield()
                }
                group.cancelAll()
            }
        }
    }

    private func watch(_ index: Int, _ client: EngineClient, alarms: AsyncStream<Void>) async {
        var pause = Self.firstPause
        var lastReport: String?
        var alarm = alarms.makeAsyncIterator()
        while !Task.isCancelled {
            do throws(AttemptFailure) {
                let models = try await client.models()
                self.dispatcher.engineIsReady(index, models: models)
                self.report("engine is ready", client, "models: \(models.joined(separator: ", "))", &lastReport)
                pause = Self.firstPause
                await self.sleep(Self.refreshInterval, orUntil: &alarm)
            } catch {
                self.dispatcher.engineIsDown(index, reason: "engine \(client.address.url): \(error.message)")
                self.report("engine does not answer", client, error.message, &lastReport)
                try? await Task.sleep(for: pause)
                pause = min(pause * 2, Self.longestPause)
            }
        }
    }

    private func sleep(_ duration: Duration, orUntil alarm: inout AsyncStream<Void>.Iterator) async {
        // The iterator cannot be shared with a child task, so the alarm is raced by a timer that only cancels.
        var iterator = alarm
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await Task.sleep(for: duration) }
            group.addTask { [iterator] in
                var iterator = iterator
                _ = await iterator.next()
            }
            await group.next()
            group.cancelAll()
        }
        alarm = iterator
        iterator = alarm
    }

    private func report(_ text: String, _ client: EngineClient, _ detail: String, _ last: inout String?) {
        guard last != text + detail else { return }
        last = text + detail
        self.logger.info("\(text)", metadata: ["engine": "\(client.address.url)", "detail": "\(detail)"])
    }
}
