import Foundation

/// What this process holds.
struct Figures: CustomStringConvertible {
    /// Memory that is not a file's.
    var anonymousMiB: Double
    var descriptors: Int
    var threads: Int

    static func now() -> Figures {
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        func number(_ name: String) -> Int {
            let line = status.split(separator: "\n").first { $0.hasPrefix(name) }
            return Int(line?.filter(\.isNumber) ?? "") ?? 0
        }
        let descriptors = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd"))?.count ?? 0
        return Figures(
            anonymousMiB: Double(number("RssAnon:")) / 1_024,
            descriptors: descriptors,
            threads: number("Threads:")
        )
    }

    var description: String {
        "\(Int(self.anonymousMiB)) MiB, \(self.descriptors) descriptors, \(self.threads) threads"
    }
}

/// The middle value of the memory over a stretch of time.
func medianMiB(_ figures: ArraySlice<Figures>) -> Double {
    let sorted = figures.map(\.anonymousMiB).sorted()
    return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
}
