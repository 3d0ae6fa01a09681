/// Finds the name that was probably meant, for errors about unknown names.
enum Suggestion {
    /// Longest name compared, which bounds the work.
    private static let maximumLength = 64
    /// Most single-character edits between what was written and what was meant.
    private static let maximumEdits = 3

    /// The nearest of the known names; nil when none is near.
    static func nearest(to name: String, among known: [String]) -> String? {
        guard name.utf8.count <= Self.maximumLength else { return nil }
        let distances = known.map { (name: $0, edits: Self.edits(Array(name.utf8), Array($0.utf8))) }
        guard let best = distances.min(by: { $0.edits < $1.edits }) else { return nil }
        return best.edits <= min(Self.maximumEdits, name.utf8.count / 2) ? best.name : nil
    }

    /// 400 for an unknown name, with the nearest known one.
    static func unknown(_ kind: String, _ name: String, among known: [String]) -> APIError {
        let shown = String(name.prefix(Self.maximumLength))
        let hint = Self.nearest(to: name, among: known).map { " Did you mean '\($0)'?" } ?? ""
        return .invalidRequest("Unknown \(kind): '\(shown)'.\(hint)", param: shown, code: "unknown_parameter")
    }

    /// Levenshtein distance.
    private static func edits(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var row = Array(0...right.count)
        for (i, byte) in left.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, other) in right.enumerated() {
                let replaced = diagonal + (byte == other ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(replaced, row[j] + 1, row[j + 1] + 1)
            }
        }
        return row[right.count]
    }
}
