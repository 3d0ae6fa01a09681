import GatewayAPI
import Testing

/// How many tokens a request is taken for before its body has come.
struct TokenEstimateTests {
    @Test(
        arguments: [
            ("POST", "/v1/chat/completions", 0, 0), ("POST", "/v1/embeddings", 1, 1), ("POST", "/v1/responses", 4, 1),
            ("POST", "/v1/rerank", 4_001, 1_001), ("POST", "/v1/completions", nil, 4_096),
            ("POST", "/v1/chat/completions", UInt64.max, Int(UInt64.max / 4 + 1)), ("POST", "/v1/batches", 4_000, 0),
            ("GET", "/v1/chat/completions", 4_000, 0),
        ] as [(String, String, UInt64?, Int)]
    )
    func estimate(method: String, path: String, length: UInt64?, tokens: Int) {
        #expect(RequestHead(method: method, target: path, contentLength: length).estimatedTokens == tokens)
    }

    @Test(arguments: InferencePath.allCases)
    func everyPathOfAnEngineCounts(path: InferencePath) {
        #expect(RequestHead(method: "POST", target: path.rawValue, contentLength: 8).estimatedTokens == 2)
    }
}
