import CurlHTTP
import Logging
import NIOPosix
import ProtoRPC
import SchedulerCore
import SchedulerEngines
import SchedulerStores
import Synchronization
import TestSupport
import Testing

@testable import SchedulerService

/// Requests that wait for a place at an engine. There is no lease here: they need none.
@Suite(.timeLimit(.minutes(1)))
struct PlaceTests {
    private let directory: TemporaryDirectory
    private let dispatcher: Dispatcher
    private let engine = ScriptedEngine(models: ["m"])

    init() throws {
        self.directory = try TemporaryDirectory()
        let platform = Platform(
            files: LocalFileSystem(),
            threads: NIOThreadPool.singleton,
            commitThreads: NIOThreadPool.singleton,
            time: .system,
            random: { 1 },
            endsGracefully: false
        )
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let ownership = OwnershipKeeper(
            instance: "x",
            terms: LeaseTerms(),
            store: MemoryMetadataStore(clock: LeaseClock(period: "test") { 1 }),
            instances: InstanceLocks(dataDirectory: self.directory.path, files: platform.files),
            platform: platform,
            logger: logger
        )
        self.dispatcher = Dispatcher(retry: RetryPolicy(), ownership: ownership, platform: platform, logger: logger)
        let index = self.dispatcher.add(self.engine, concurrency: 1)
        self.dispatcher.engineIsReady(index, models: ["m"])
    }

    /// Waits for a place; cancelling the task takes the request back.
    private func place(_ dispatchClass: DispatchClass, tenant: String = "a") async throws -> EnginePlace {
        if let outcome = self.dispatcher.placeNow(for: "m", dispatchClass) { return try Self.place(of: outcome) }
        let (outcomes, outcome) = AsyncStream<PlaceRequest.Outcome>.makeStream()
        let request = PlaceRequest { outcome.yield($0) }
        self.dispatcher.queue(request, for: "m", dispatchClass, tenant: tenant)
        // A task of its own, which nobody cancels: a request is settled in any case.
        let settled = Task { await outcomes.first { _ in true } }
        return try await withTaskCancellationHandler {
            try Self.place(of: await settled.value)
        } onCancel: {
            self.dispatcher.withdraw(request, of: tenant)
        }
    }

    private static func place(of outcome: PlaceRequest.Outcome?) throws -> EnginePlace {
        switch outcome {
        case .placed(let place): return place
        case .refused(let error): throw error
        case .withdrawn, nil: throw CancellationError()
        }
    }

    private func untilWaiting(_ count: Int) async {
        while self.dispatcher.waitingRequests.load(ordering: .relaxed) < count { await Task.yield() }
    }

    @Test("what waits for an engine is told when it goes, and when it says that it is full", arguments: [true, false])
    func strandedRequestsAreTold(_ goes: Bool) async throws {
        let place = try await self.place(.online)
        try await withThrowingTaskGroup(of: RPCError?.self) { group in
            for dispatchClass in [DispatchClass.online, .flex] {
                group.addTask {
                    await #expect(throws: RPCError.self) {
                        _ = try await self.place(dispatchClass)
                    }
                }
            }
            await self.untilWaiting(2)
            if goes {
                self.dispatcher.engineIsDown(place.index, reason: "it went")
            } else {
                self.dispatcher.note(.busy(forMilliseconds: 60_000), about: place.index, .cancelled)
            }
            for try await error in group {
                #expect(error?.code == .unavailable)
                #expect(error?.message.contains(goes ? "it went" : "full") == true)
            }
        }
        self.dispatcher.release(place, after: .cancelled)
        #expect(self.dispatcher.snapshot()[0].engine.inFlight == 0)
    }

    @Test("a cancelled task takes no place, whenever it is cancelled", arguments: 1...50)
    func cancelledWhileWaiting(_: Int) async throws {
        let place = try await self.place(.online)
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                guard let place = try? await self.place(.online) else { return }
                self.dispatcher.release(place, after: .cancelled)
            }
            group.addTask { self.dispatcher.release(place, after: .cancelled) }
            group.cancelAll()
        }
        #expect(self.dispatcher.snapshot()[0].engine.inFlight == 0)
        #expect(self.dispatcher.waitingRequests.load(ordering: .relaxed) == 0)
    }

    @Test("no more than 256 requests wait")
    func waitingIsBounded() async throws {
        let place = try await self.place(.online)
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<Dispatcher.maximumWaitingRequests {
                group.addTask { _ = try? await self.place(.online, tenant: "\(number)") }
            }
            await self.untilWaiting(Dispatcher.maximumWaitingRequests)
            let error = await #expect(throws: RPCError.self) {
                _ = try await self.place(.online)
            }
            #expect(error?.code == .resourceExhausted)
            group.cancelAll()
        }
        self.dispatcher.release(place, after: .cancelled)
        #expect(self.dispatcher.snapshot()[0].engine.inFlight == 0)
    }
}
