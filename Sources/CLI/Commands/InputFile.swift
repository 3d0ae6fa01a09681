import Foundation

/// What the tool needs to know of an input file before it sends it.
enum InputFile {
    /// Most bytes that are read to find the first line.
    private static let maximumFirstLineBytes = 16 << 20

    /// The url of the first request.
    static func endpoint(_ path: String) throws -> String {
        struct Line: Decodable { var url: String }
        guard let handle = FileHandle(forReadingAtPath: path) else { throw ToolError.input("cannot open \(path)") }
        defer { try? handle.close() }
        let start = try handle.read(upToCount: self.maximumFirstLineBytes) ?? Data()
        for line in start.split(separator: 0x0A) {
            if let first = try? JSONDecoder().decode(Line.self, from: Data(line)) { return first.url }
            break
        }
        throw ToolError.input("the first line of \(path) is not a request with a url; give --endpoint")
    }

    /// `out.jsonl` -> `out.errors.jsonl`.
    static func errorsPath(_ output: String) -> String {
        let name = output.split(separator: "/", omittingEmptySubsequences: false).last.map(String.init) ?? output
        guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return output + ".errors" }
        let suffix = name[dot...]
        return output.dropLast(suffix.count) + ".errors" + suffix
    }
}
