import GatewayAPI
import HTTPTypes
import Hummingbird
import NIOCore
import ProtoMessages

/// Streams what a batch has so far: of one that has ended its output file and then its error file, of one that runs the
/// lines that are done already, in input order.
struct ResultsDownloader: Sendable {
    let calls: SchedulerCalls
    let budget: TransferBudget

    func response(batchID: String) async throws -> Response {
        let first = try await self.read(batchID, from: ReadResultsResponse())
        let headers: HTTPFields = [
            .contentType: "application/jsonl", .resultsIncomplete: first.hasEnded ? "false" : "true",
        ]
        return first.hasEnded
            ? try await self.response(ended: batchID, headers) : self.response(running: batchID, headers, first)
    }

    private func response(ended batchID: String, _ headers: HTTPFields) async throws -> Response {
        guard let batch = try await self.calls.call(BatchesService.getBatch, GetBatchRequest(batchID: batchID)).batch
        else { throw APIError.internalError }
        let downloader = FileDownloader(calls: self.calls, budget: self.budget)
        var parts: [(file: File, range: Range<UInt64>)] = []
        for id in [batch.outputFileID, batch.errorFileID] where !id.isEmpty {
            let file = try await downloader.file(id)
            parts.append((file, 0..<file.bytes))
        }
        guard !parts.isEmpty else { return Response(status: .ok, headers: headers, body: ResponseBody()) }
        return try await downloader.response(.ok, headers, parts)
    }

    private func response(running batchID: String, _ headers: HTTPFields, _ first: ReadResultsResponse) -> Response {
        let body = ResponseBody { writer in
            var read = first
            try await writer.write(read.data)
            while !read.isEnd {
                read = try await self.read(batchID, from: read)
                try await writer.write(read.data)
            }
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: headers, body: body)
    }

    private func read(_ batchID: String, from last: ReadResultsResponse) async throws(APIError) -> ReadResultsResponse {
        let request = ReadResultsRequest(
            batchID: batchID,
            line: last.nextLine,
            offset: last.nextOffset,
            maximumBytes: UInt32(TransferBudget.maximumChunkBytes)
        )
        let read = try await self.calls.call(BatchesService.readResults, request)
        let goesOn = (read.nextLine, read.nextOffset) > (last.nextLine, last.nextOffset)
        guard read.isEnd || goesOn else { throw .internalError }
        // In the middle of a long line: half of it must not look like an end.
        guard !read.hasEnded || last.nextOffset == 0 else {
            throw .unavailable("The batch has ended meanwhile. Ask again.", code: "results_moved")
        }
        return read
    }
}
