import GatewayAPI
import HTTPTypes
import Hummingbird
import NIOCore
import ProtoMessages
import ProtoRPC

/// Streams what a batch has so far: of one that has ended its output file and then its error file, of one that runs the
/// lines that are done already, in input order.
struct ResultsDownloader: Sendable {
    let calls: SchedulerCalls
    let budget: TransferBudget

    func response(batchID: String) async throws -> Response {
        let answer = try await self.read(batchID, from: ReadResultsResponse(), at: nil)
        let first = answer.message
        let headers: HTTPFields = [
            .contentType: "application/jsonl", .resultsIncomplete: first.hasEnded ? "false" : "true",
        ]
        return first.hasEnded
            ? try await self.response(ended: batchID, headers) : self.response(running: batchID, headers, answer)
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

    private func response(
        running batchID: String,
        _ headers: HTTPFields,
        _ first: RPCReply<ReadResultsResponse>
    ) -> Response {
        let body = ResponseBody { writer in
            var read = first
            try await writer.write(read.message.data)
            while !read.message.isEnd {
                read = try await self.read(batchID, from: read.message, at: read.endpoint)
                try await writer.write(read.message.data)
            }
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: headers, body: body)
    }

    /// - Parameter endpoint: the scheduler that ran the batch a moment ago; nil: not known.
    private func read(
        _ batchID: String,
        from last: ReadResultsResponse,
        at endpoint: RPCClient.Endpoint?
    ) async throws(APIError) -> RPCReply<ReadResultsResponse> {
        let request = ReadResultsRequest(
            batchID: batchID,
            line: last.nextLine,
            offset: last.nextOffset,
            maximumBytes: UInt32(TransferBudget.maximumChunkBytes)
        )
        let reply = try await self.calls.readResults(request, at: endpoint)
        let read = reply.message
        let goesOn = (read.nextLine, read.nextOffset) > (last.nextLine, last.nextOffset)
        guard read.isEnd || goesOn else { throw .internalError }
        // In the middle of a long line: half of it must not look like an end.
        guard !read.hasEnded || last.nextOffset == 0 else {
            throw .unavailable("The batch has ended meanwhile. Ask again.", code: "results_moved")
        }
        return reply
    }
}
