/// A path whose requests go to an engine as they are.
public enum InferencePath: String, Sendable, CaseIterable {
    case chatCompletions = "/v1/chat/completions"
    case completions = "/v1/completions"
    case embeddings = "/v1/embeddings"
    case responses = "/v1/responses"
    case rerank = "/v1/rerank"
}
