import SchedulerCore
package import SchedulerStores
import ServiceLifecycle

/// What the scheduler needs of the machine: files, threads that may block, clocks and chance. Injected, so that a whole
/// scheduler runs in simulated surroundings.
package struct Platform: Sendable {
    /// Files and their names.
    package let files: any FileSystem
    /// Threads for reading and assembling.
    package let threads: any BlockingThreads
    /// Threads that do nothing but commit.
    package let commitThreads: any BlockingThreads
    /// Clocks and waiting.
    package var time: SystemTime
    /// Random bits; for spreading and for names, not for secrets.
    package let random: @Sendable () -> UInt64
    /// Whether a rare case occurs now.
    let occurs: @Sendable (RareCase) -> Bool

    /// Whether `untilShutdown` looks for a graceful shutdown; simulated processes only ever die.
    private let endsGracefully: Bool

    /// Makes a platform.
    package init(
        files: any FileSystem,
        threads: any BlockingThreads,
        commitThreads: any BlockingThreads,
        time: SystemTime,
        random: @escaping @Sendable () -> UInt64,
        occurs: @escaping @Sendable (RareCase) -> Bool = { _ in false },
        endsGracefully: Bool = true
    ) {
        self.files = files
        self.threads = threads
        self.commitThreads = commitThreads
        self.time = time
        self.random = random
        self.occurs = occurs
        self.endsGracefully = endsGracefully
    }

    /// The same platform, whose threads report what fails on them.
    func watched(by failures: StoreFailures) -> Platform {
        Platform(
            files: self.files,
            threads: WatchedThreads(threads: self.threads, failures: failures),
            commitThreads: WatchedThreads(threads: self.commitThreads, failures: failures),
            time: self.time,
            random: self.random,
            occurs: self.occurs,
            endsGracefully: self.endsGracefully
        )
    }

    /// Runs a service's body and cancels it at graceful shutdown.
    func untilShutdown(_ body: @escaping @Sendable () async -> Void) async {
        guard self.endsGracefully else { return await body() }
        await cancelWhenGracefulShutdown(body)
    }

    /// A new id for an object that is made now.
    func makeID(_ kind: ObjectID.Kind) -> String {
        ObjectID.make(kind, unixMilliseconds: self.time.unixMilliseconds(), random: self.random())
    }

    /// A random number in 0..<1.
    func randomFraction() -> Double { Double(self.random() >> 11) * 0x1p-53 }
}
