/// Finds the name that somebody probably meant.
public enum NearestName {
    /// The nearest of the known names, if it is near enough to be a slip.
    public static func find(_ name: String, among known: [String]) -> String? {
        let limit = max(2, name.count / 4)
        return known.map { ($0, self.distance(name, $0)) }.filter { $0.1 <= limit }.min { $0.1 < $1.1 }?.0
    }

    /// Insertions, deletions, replacements and swaps of neighbours that make one name the other.
    static func distance(_ first: String, _ second: String) -> Int {
        let left = Array(first.utf8.prefix(64))
        let right = Array(second.utf8.prefix(64))
        var older: [Int] = []
        var previous = Array(0...right.count)
        for row in 0..<left.count {
            var current = [row + 1]
            for column in 0..<right.count {
                let same = left[row] == right[column]
                var best = min(previous[column] + (same ? 0 : 1), previous[column + 1] + 1, current[column] + 1)
                if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                    best = min(best, older[column - 1] + 1)
                }
                current.append(best)
            }
            older = previous
            previous = current
        }
        return previous[right.count]
    }
}
