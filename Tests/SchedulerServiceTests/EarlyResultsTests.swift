import SchedulerCore
import Testing

@testable import SchedulerService

/// What is read of a batch that runs.
@Suite(.timeLimit(.minutes(1)))
struct EarlyResultsTests {
    /// Answers of these sizes; the one in the middle is longer than most pieces.
    private static let answerBytes = [1, 30, 900, 30, 1]

    private func job(_ owner: LeaseOwner) throws -> RunningJob {
        let input = Self.answerBytes.indices.map {
            #"{"custom_id":"c\#($0)","method":"POST","url":"/v1/x","body":{"model":"m"}}"# + "\n"
        }.joined()
        var indexer = InputFileIndexer()
        Array(input.utf8).withUnsafeBytes { indexer.consume($0) }
        indexer.finish()
        return try owner.job(
            lines: Self.answerBytes.count,
            input: Array(input.utf8),
            plan: indexer.takePlanBytes()
        )
    }

    private func commit(_ lines: [Int], to job: RunningJob) async {
        for line in lines {
            let body = Array("\"\(String(repeating: "x", count: Self.answerBytes[line]))\"".utf8)
            job.committer.commit(
                LineAnswer(line: line, attempts: 1, content: .answered(status: 200, requestID: "r", body: body))
            )
        }
        job.committer.finish()
        await job.committer.run()
    }

    /// Reads from the start to the end, in pieces.
    private func pieces(_ results: EarlyResults, of maximumBytes: Int) throws -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        var position = EarlyResults.Position(line: 0, offset: 0)
        while true {
            let read = try results.read(from: position, maximumBytes: maximumBytes)
            pieces.append(read.bytes)
            guard !read.isEnd else { return pieces }
            try #require(read.next != position)
            position = read.next
        }
    }

    @Test("whatever the size of the pieces they are the same lines, and only a long line is cut")
    func piecesAreTheSameLines() async throws {
        let owner = try await LeaseOwner()
        let job = try self.job(owner)
        await self.commit([4, 0, 2, 1, 3], to: job)
        let whole = try self.pieces(job.results, of: 1 << 20).flatMap(\.self)
        let lines = whole.split(separator: UInt8(ascii: "\n"))
        #expect(lines.count == 5 && lines.enumerated().allSatisfy { $1.count > Self.answerBytes[$0] })
        for maximumBytes in [1, 2, 7, 100, 150, 200, 500, 1_000, 1_100, 1_500] {
            let pieces = try self.pieces(job.results, of: maximumBytes)
            #expect(pieces.flatMap(\.self) == whole)
            for piece in pieces where piece.last != UInt8(ascii: "\n") && !piece.isEmpty {
                #expect(!piece.contains(UInt8(ascii: "\n")) && piece.count == maximumBytes, "\(maximumBytes)")
            }
        }
    }

    @Test func linesThatAreNotDoneAreLeftOut() async throws {
        let owner = try await LeaseOwner()
        let job = try self.job(owner)
        await self.commit([3, 1], to: job)
        let text = String(decoding: try self.pieces(job.results, of: 1 << 20).flatMap(\.self), as: UTF8.self)
        let lines = text.split(separator: "\n")
        #expect(lines.count == 2 && lines[0].contains(#""c1""#) && lines[1].contains(#""c3""#))
    }
}
