/// What a server sent is no answer of HTTP/1.x, or one that could be read in two ways.
struct MalformedResponse: Error, Equatable {
    /// For people; holds nothing of the answer.
    let message: String

    init(_ message: String) {
        self.message = message
    }
}
