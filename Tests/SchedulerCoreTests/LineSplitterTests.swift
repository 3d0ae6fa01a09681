import Testing

@testable import SchedulerCore

struct LineSplitterTests {
    private struct Given: Equatable {
        var offset: UInt64
        var number: Int
        var length: UInt64
        var text: String?
    }

    private func split(_ chunks: [String], maximumLineBytes: Int = 8) -> [Given] {
        var splitter = LineSplitter(maximumLineBytes: maximumLineBytes)
        var lines: [Given] = []
        func take(_ line: LineSplitter.Line, _ bytes: UnsafeRawBufferPointer?) {
            let text = bytes.map { String(decoding: $0, as: UTF8.self) }
            lines.append(Given(offset: line.offset, number: line.number, length: line.length, text: text))
        }
        for chunk in chunks {
            Array(chunk.utf8).withUnsafeBytes { splitter.consume($0, take) }
        }
        splitter.finish(take)
        return lines
    }

    @Test func linesKeepTheirPlaces() {
        #expect(
            split(["ab\r\nc", "d\n\n", "e"]) == [
                Given(offset: 0, number: 1, length: 2, text: "ab"),
                Given(offset: 4, number: 2, length: 2, text: "cd"),
                Given(offset: 7, number: 3, length: 0, text: ""),
                Given(offset: 8, number: 4, length: 1, text: "e"),
            ]
        )
    }

    @Test("T-34 a line over the limit has a length and no bytes, however it is cut", arguments: [1, 3, 9, 10, 50])
    func longLines(chunkCharacters: Int) {
        let text = Array(String(repeating: "x", count: 40) + "\n12345678\n123456789\nok\n")
        let chunks = stride(from: 0, to: text.count, by: chunkCharacters).map {
            String(text[$0..<min($0 + chunkCharacters, text.count)])
        }
        #expect(
            split(chunks) == [
                Given(offset: 0, number: 1, length: 40, text: nil),
                Given(offset: 41, number: 2, length: 8, text: "12345678"),
                Given(offset: 50, number: 3, length: 9, text: nil),
                Given(offset: 60, number: 4, length: 2, text: "ok"),
            ]
        )
    }

    @Test func aLastLineOverTheLimitIsGivenToo() {
        #expect(split(["123456", "7890", "12"]) == [Given(offset: 0, number: 1, length: 12, text: nil)])
    }
}
