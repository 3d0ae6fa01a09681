/// The multi handles of a client: as many for each server as its transfers need.
struct MultiHandles {
    /// Longer than servers keep a connection that nobody uses, most of them: nginx does for 75 s, uvicorn for 5.
    private static let maximumIdleMilliseconds: Int64 = 60_000

    /// By number; nil: free to be used again.
    private(set) var all: [MultiHandle?] = []
    /// Numbers of each server's multi handles, by scheme and authority.
    private var numbers: [Substring: [Int]] = [:]

    /// The multi handle of a number, if there is one.
    subscript(number: Int) -> MultiHandle? {
        self.all.indices.contains(number) ? self.all[number] : nil
    }

    /// When libcurl wants to be called next, in milliseconds of the monotonic clock; nil: not by time.
    var timer: Int64? {
        self.all.reduce(nil) { earliest, multi in
            guard let timer = multi?.timer else { return earliest }
            return min(earliest ?? timer, timer)
        }
    }

    /// A multi handle for one more transfer to a URL: the first of its server's that has room, so that transfers use again
    /// the connections there are; made when there is none. nil when there is no memory.
    mutating func withRoom(for url: String, make: (_ number: Int) -> MultiHandle?) -> MultiHandle? {
        let server = Self.server(of: url)
        for number in self.numbers[server] ?? [] {
            if let multi = self.all[number], multi.transfers < MultiHandle.maximumTransfers { return multi }
        }
        let number = self.all.firstIndex { $0 == nil } ?? self.all.count
        guard let multi = make(number) else { return nil }
        if number == self.all.count { self.all.append(multi) } else { self.all[number] = multi }
        self.numbers[server, default: []].append(number)
        return multi
    }

    /// Drops those that had no transfer for long, with their connections.
    mutating func dropIdle(at now: Int64) {
        for (number, multi) in self.all.enumerated() {
            guard let multi, multi.transfers == 0, now - multi.idleSince > Self.maximumIdleMilliseconds else {
                continue
            }
            self.all[number] = nil
            self.numbers = self.numbers.compactMapValues { numbers in
                let left = numbers.filter { $0 != number }
                return left.isEmpty ? nil : left
            }
        }
    }

    /// Drops all. None has a transfer.
    mutating func removeAll() {
        self.all = []
        self.numbers = [:]
    }

    /// Scheme and authority of a URL.
    static func server(of url: String) -> Substring {
        var slashes = 0
        let end = url.utf8.firstIndex { byte in
            if byte == UInt8(ascii: "/") { slashes += 1 }
            return slashes == 3 || byte == UInt8(ascii: "?") || byte == UInt8(ascii: "#")
        }
        return url[..<(end ?? url.endIndex)]
    }
}
