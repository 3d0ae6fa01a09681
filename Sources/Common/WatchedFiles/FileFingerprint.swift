import Glibc

/// What changes when a file does.
struct FileFingerprint: Equatable {
    private var device: UInt = 0
    private var inode: UInt = 0
    private var size = 0
    private var changedSeconds = 0
    private var changedNanoseconds = 0
    /// Permission bits; 0 for a file that is not there.
    private(set) var mode: UInt32 = 0

    /// Follows links. A file that is not there has a fingerprint too. The time is that of the last change to content or
    /// mode, so that a file which has become readable is noticed.
    init(path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return }
        self.device = status.st_dev
        self.inode = status.st_ino
        self.size = status.st_size
        self.changedSeconds = status.st_ctim.tv_sec
        self.changedNanoseconds = status.st_ctim.tv_nsec
        self.mode = status.st_mode & 0o7777
    }

    /// Whether somebody besides owner and group can read it, or somebody besides the owner can change it.
    var isTooOpen: Bool { self.mode & 0o026 != 0 }
}
