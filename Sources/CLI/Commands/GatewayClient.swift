import CurlHTTP
import Foundation

/// The gateway's REST API, as far as the tool needs it.
struct GatewayClient: Sendable {
    /// Largest control answer, in bytes.
    private static let maximumAnswerBytes = 16 << 20
    private static let limits = TransferLimits(
        connect: .seconds(5),
        firstByte: .seconds(60),
        betweenBytes: .seconds(60),
        total: nil
    )

    let baseURL: String
    let apiKey: String?
    private let http = CurlClient()

    init(baseURL: String, apiKey: String?) {
        var url = baseURL
        while url.hasSuffix("/") { url.removeLast() }
        self.baseURL = url.hasSuffix("/v1") ? String(url.dropLast(3)) : url
        self.apiKey = apiKey
    }

    func createBatch(input: String, endpoint: String, window: String, metadata: [String: String]) async throws
        -> BatchAnswer
    {
        struct Body: Encodable {
            var input_file_id: String
            var endpoint: String
            var completion_window: String
            var metadata: [String: String]
        }
        let body = Body(input_file_id: input, endpoint: endpoint, completion_window: window, metadata: metadata)
        let bytes = Array(try JSONEncoder().encode(body))
        return try await self.call(.post, "/v1/batches", .bytes(bytes), contentType: "application/json")
    }

    func batch(_ id: String) async throws -> BatchAnswer {
        try await self.call(.get, "/v1/batches/\(id)")
    }

    func cancel(_ id: String) async throws -> BatchAnswer {
        try await self.call(.post, "/v1/batches/\(id)/cancel", .bytes([]))
    }

    func batches(limit: Int) async throws -> BatchList {
        try await self.call(.get, "/v1/batches?limit=\(limit)")
    }

    /// Uploads a batch input, read from disk as it is sent.
    func upload(_ path: String) async throws -> FileAnswer {
        let form = try MultipartFile(path: path, purpose: "batch")
        return try await self.call(
            .post,
            "/v1/files",
            .stream(length: form.length, read: form.read),
            contentType: form.contentType
        )
    }

    /// Writes a file's content to a temporary name beside `path` and renames it at the end.
    func download(_ id: String, to path: String) async throws {
        let partial = path + ".partial"
        guard FileManager.default.createFile(atPath: partial, contents: nil),
            let handle = FileHandle(forWritingAtPath: partial)
        else { throw ToolError.input("cannot write \(partial)") }
        let url = "\(self.baseURL)/v1/files/\(id)/content"
        let response = try await self.send(
            HTTPRequest(
                method: .get,
                url: url,
                headers: self.headers(nil),
                limits: Self.limits,
                maximumResponseBytes: .max,
                onBody: { piece in
                    try handle.write(contentsOf: Data(piece))
                    return .taken
                }
            )
        )
        try handle.close()
        guard response.status == 200 else {
            try? FileManager.default.removeItem(atPath: partial)
            throw ToolError.gateway("cannot fetch \(id): status \(response.status)")
        }
        guard rename(partial, path) == 0 else { throw ToolError.input("cannot rename \(partial) to \(path)") }
    }

    private func call<Answer: Decodable>(
        _ method: HTTPRequest.Method,
        _ path: String,
        _ body: HTTPRequestBody = .none,
        contentType: String? = nil
    ) async throws -> Answer {
        let request = HTTPRequest(
            method: method,
            url: self.baseURL + path,
            headers: self.headers(contentType),
            body: body,
            limits: Self.limits,
            maximumResponseBytes: Self.maximumAnswerBytes
        )
        let response = try await self.send(request)
        guard (200..<300).contains(response.status) else { throw self.refusal(response) }
        guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(response.body)) else {
            throw ToolError.gateway("\(path) answered something else than expected: is this a Backfill gateway?")
        }
        return answer
    }

    private func send(_ request: HTTPRequest) async throws -> HTTPResponse {
        do throws(HTTPTransferError) {
            return try await self.http.send(request)
        } catch {
            guard error.code == .connect || error.code == .resolve else { throw ToolError.gateway(error.message) }
            throw ToolError.gateway(
                "no gateway at \(self.baseURL) (\(error.message)); start one with `make serve` or name it with --gateway"
            )
        }
    }

    private func headers(_ contentType: String?) -> [HTTPHeader] {
        var headers: [HTTPHeader] = []
        if let contentType { headers.append(HTTPHeader(name: "content-type", value: contentType)) }
        if let apiKey { headers.append(HTTPHeader(name: "authorization", value: "Bearer \(apiKey)")) }
        return headers
    }

    private func refusal(_ response: HTTPResponse) -> ToolError {
        struct Body: Decodable {
            struct Problem: Decodable {
                var message: String
                var code: String?
                var param: String?
            }
            var error: Problem
        }
        guard let problem = try? JSONDecoder().decode(Body.self, from: Data(response.body)).error else {
            return .gateway("status \(response.status)")
        }
        let details = [problem.code, problem.param.map { "param \($0)" }].compactMap { $0 }.joined(separator: ", ")
        return .gateway(problem.message + (details.isEmpty ? "" : " (\(details))"))
    }
}
