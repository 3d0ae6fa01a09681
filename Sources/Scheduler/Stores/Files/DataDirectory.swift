import Glibc

/// What must be true of the place that a data directory is in.
public enum DataDirectory {
    /// File systems that other hosts may write to: neither SQLite's locks nor ours can be relied on there.
    static let networkFileSystems: Set<String> = [
        "9p", "afs", "beegfs", "ceph", "cifs", "coda", "fuse.cephfs", "fuse.glusterfs", "fuse.s3fs", "fuse.sshfs",
        "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "smb3", "smbfs",
    ]
    private static let maximumTableBytes = 4 << 20

    /// Refuses a directory on a network file system.
    public static func check(_ path: String) throws {
        var status = stat()
        guard stat(path, &status) == 0 else { throw FileError("stat", path: path) }
        let table = try PosixFile("/proc/self/mountinfo", .read).read(count: self.maximumTableBytes, at: 0)
        // The layout of glibc's gnu_dev_major and gnu_dev_minor, which are not imported.
        let number = UInt64(status.st_dev)
        let major = number >> 8 & 0xFFF | number >> 32 & ~0xFFF
        let minor = number & 0xFF | number >> 12 & ~0xFF
        let device = "\(major):\(minor)"
        guard let type = self.type(ofDevice: device, mounts: String(decoding: table, as: UTF8.self)),
            self.networkFileSystems.contains(type)
        else { return }
        throw StoreError.unavailable(
            "\(path) is on a network file system (\(type)), whose locks cannot be relied on: use a local disk"
        )
    }

    /// The file system of a device in the table of proc(5)'s mountinfo; nil when it is not there.
    static func type(ofDevice device: String, mounts: String) -> String? {
        for line in mounts.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count > 4, fields[2] == device, let dash = fields.firstIndex(of: "-"),
                fields.indices.contains(dash + 1)
            else { continue }
            return String(fields[dash + 1])
        }
        return nil
    }
}
