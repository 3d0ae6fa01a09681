import Glibc
import SchedulerStores

/// One locked file for each scheduler that uses a data directory: the kernel unlocks it when the process ends, however
/// it ends, and never while it is only paused. Blocking.
struct InstanceLocks: Sendable {
    private static let lockTries = 100
    private static let lockPauseMicroseconds: UInt32 = 1_000

    private let directory: String
    private let files: any FileSystem

    init(dataDirectory: String, files: any FileSystem) {
        self.directory = dataDirectory + "/instances"
        self.files = files
    }

    /// The instance whose lease has this owner.
    static func instance(ofOwner owner: String) -> String {
        String(owner.prefix { $0 != "." })
    }

    /// Takes the lock of a scheduler that starts; it holds as long as the value lives.
    func lock(_ instance: String) throws -> any FileLock {
        try self.files.makeDirectory(self.directory)
        for _ in 0..<Self.lockTries {
            if let lock = try self.files.lock(self.path(instance)) { return lock }
            // Another scheduler is asking at this moment whether this one is dead.
            usleep(Self.lockPauseMicroseconds)
        }
        throw StoreError.unavailable("the instance \(instance) runs already")
    }

    /// Whether an instance has certainly ended.
    func isDead(_ instance: String) -> Bool {
        // Without its file nothing is known: it may use the store from elsewhere.
        guard let names = try? self.files.list(self.directory), names.contains(instance) else { return false }
        return ((try? self.files.lock(self.path(instance))) ?? nil) != nil
    }

    /// Removes the locks of instances that have ended, but for those whose lease goes on: the lock tells others that it
    /// need not be waited for.
    func forgetTheDead(except leaseHolders: Set<String>) throws {
        for instance in try self.files.list(self.directory)
        where !leaseHolders.contains(instance) && self.isDead(instance) {
            try self.files.remove(self.path(instance))
        }
    }

    private func path(_ instance: String) -> String { "\(self.directory)/\(instance)" }
}
