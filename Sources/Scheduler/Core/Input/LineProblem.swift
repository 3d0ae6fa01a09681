import JSONSpans

/// What is wrong with one line of a batch input (A3-02).
public struct LineProblem: Error, Sendable, Equatable {
    /// Codes of the hosted service, and our own in its style.
    public enum Code: String, Sendable, CaseIterable {
        case invalidJSON = "invalid_json_line"
        case invalidUTF8 = "invalid_utf8"
        case notAnObject = "not_an_object"
        case lineTooLong = "line_too_long"
        case missingParameter = "missing_required_parameter"
        case invalidType = "invalid_type"
        case duplicateKey = "duplicate_key"
        case invalidCustomID = "invalid_custom_id"
        case duplicateCustomID = "duplicate_custom_id"
        case invalidMethod = "invalid_method"
        case streamNotSupported = "stream_not_supported"
        case emptyFile = "empty_file"
        case tooManyTasks = "too_many_tasks"
        case tooManyModels = "too_many_models"
        case tooManyURLs = "too_many_urls"
        case tooManyEmbeddingInputs = "too_many_embedding_inputs"
    }

    /// Machine-readable.
    public var code: Code
    /// For people.
    public var message: String
    /// The field at fault, if one is.
    public var param: String?

    /// Makes a problem.
    public init(_ code: Code, _ message: String, param: String? = nil) {
        self.code = code
        self.message = message
        self.param = param
    }

    init(_ error: JSONError) {
        switch error.reason {
        case .invalidUTF8: self.init(.invalidUTF8, "This line is not valid UTF-8 (at byte \(error.offset + 1)).")
        case .wrongKind: self.init(.notAnObject, "This line is JSON but not an object.")
        case .tooDeep:
            self.init(.invalidJSON, "This line is nested deeper than \(JSONDocument.maximumDepth) levels.")
        case .syntax:
            self.init(.invalidJSON, "This line is not parseable as valid JSON (at byte \(error.offset + 1)).")
        }
    }
}
