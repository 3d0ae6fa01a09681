import Glibc

extension LeaseClock {
    private static let bootIDPath = "/proc/sys/kernel/random/boot_id"

    /// CLOCK_BOOTTIME since this start of the machine; for schedulers on one host.
    public static func system() throws(FileError) -> LeaseClock {
        let file = try PosixFile(self.bootIDPath, .read)
        let bytes = try file.read(count: 64, at: 0)
        let period = String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        return LeaseClock(period: period) {
            var time = timespec()
            clock_gettime(CLOCK_BOOTTIME, &time)
            return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
        }
    }
}
