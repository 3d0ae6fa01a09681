/// What a request asks for, by its method and path.
public enum Route: Sendable, Equatable {
    /// `POST /v1/files`.
    case uploadFile
    /// `GET /v1/files`.
    case listFiles
    /// `GET /v1/files/{id}`.
    case getFile(id: String)
    /// `DELETE /v1/files/{id}`.
    case deleteFile(id: String)
    /// `GET /v1/files/{id}/content`.
    case getFileContent(id: String)
    /// `POST /v1/uploads`.
    case createUpload
    /// `GET /v1/uploads/{id}`.
    case getUpload(id: String)
    /// `POST /v1/uploads/{id}/parts`.
    case addUploadPart(id: String)
    /// `POST /v1/uploads/{id}/complete`.
    case completeUpload(id: String)
    /// `POST /v1/uploads/{id}/cancel`.
    case cancelUpload(id: String)
    /// `POST /v1/batches`.
    case createBatch
    /// `GET /v1/batches`.
    case listBatches
    /// `GET /v1/batches/{id}`.
    case getBatch(id: String)
    /// `POST /v1/batches/{id}/cancel`.
    case cancelBatch(id: String)
    /// `DELETE /v1/batches/{id}`.
    case deleteBatch(id: String)
    /// `POST /v1/batches/{id}/pause`.
    case pauseBatch(id: String)
    /// `POST /v1/batches/{id}/resume`.
    case resumeBatch(id: String)
    /// `POST /v1/batches/{id}/retry`.
    case retryBatch(id: String)
    /// `GET /v1/batches/{id}/results`.
    case getBatchResults(id: String)
    /// `GET /v1/models`.
    case listModels
    /// `GET /v1/models/{id}`; an id may contain slashes.
    case getModel(id: String)
    /// `POST` to the path of an engine.
    case inference(InferencePath)
    /// `GET /healthz`: this process runs.
    case health
    /// `GET /readyz`: requests can be served.
    case readiness

    /// Finds the route.
    ///
    /// - Throws: 404 for an unknown path and for ids that no object can have, 405 for a method that the path does not
    ///   have (A9-04).
    public init(method: String, path: String) throws(APIError) {
        let candidates = try Self.candidates(path: path, method: method)
        guard let route = candidates.first(where: { $0.method == method })?.route else {
            throw .methodNotAllowed(method, allow: candidates.map(\.method))
        }
        self = route
    }

    private static func candidates(
        path: String,
        method: String
    ) throws(APIError) -> [(method: String, route: Route)] {
        if let path = InferencePath(rawValue: path) { return [("POST", .inference(path))] }
        let parts = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        switch (parts.first, parts.dropFirst().first, parts.count) {
        case ("healthz", nil, 1): return [("GET", .health)]
        case ("readyz", nil, 1): return [("GET", .readiness)]
        case ("v1", "files", 2): return [("GET", .listFiles), ("POST", .uploadFile)]
        case ("v1", "files", 3):
            let id = try Self.objectID(parts[parts.startIndex + 2], kind: "file")
            return [("GET", .getFile(id: id)), ("DELETE", .deleteFile(id: id))]
        case ("v1", "files", 4) where parts.last == "content":
            return [("GET", .getFileContent(id: try Self.objectID(parts[parts.startIndex + 2], kind: "file")))]
        case ("v1", "uploads", 2...4): return try Self.uploads(parts.dropFirst(2), path: path, method: method)
        case ("v1", "batches", 2): return [("GET", .listBatches), ("POST", .createBatch)]
        case ("v1", "batches", 3):
            let id = try Self.objectID(parts[parts.startIndex + 2], kind: "batch")
            return [("GET", .getBatch(id: id)), ("DELETE", .deleteBatch(id: id))]
        case ("v1", "batches", 4):
            guard let action = Self.batchAction(parts.last ?? "") else {
                throw .unknownPath(method: method, path: path)
            }
            return [action(try Self.objectID(parts[parts.startIndex + 2], kind: "batch"))]
        case ("v1", "models", 2): return [("GET", .listModels)]
        case ("v1", "models", 3...):
            let name = parts.dropFirst(2).joined(separator: "/")
            guard !name.isEmpty else { throw .unknownPath(method: method, path: path) }
            guard let id = PercentCoding.decode(Substring(name), plusIsSpace: false), !id.isEmpty else {
                throw .notFound("model", id: name)
            }
            return [("GET", .getModel(id: id))]
        default: throw .unknownPath(method: method, path: path)
        }
    }

    private static func batchAction(_ name: Substring) -> ((String) -> (method: String, route: Route))? {
        switch name {
        case "cancel": { ("POST", .cancelBatch(id: $0)) }
        case "pause": { ("POST", .pauseBatch(id: $0)) }
        case "resume": { ("POST", .resumeBatch(id: $0)) }
        case "retry": { ("POST", .retryBatch(id: $0)) }
        case "results": { ("GET", .getBatchResults(id: $0)) }
        default: nil
        }
    }

    /// What stands behind `/v1/uploads`.
    private static func uploads(
        _ rest: ArraySlice<Substring>,
        path: String,
        method: String
    ) throws(APIError) -> [(method: String, route: Route)] {
        guard let part = rest.first else { return [("POST", .createUpload)] }
        let action = rest.dropFirst().first
        guard [nil, "parts", "complete", "cancel"].contains(action) else {
            throw .unknownPath(method: method, path: path)
        }
        let id = try Self.objectID(part, kind: "upload")
        return switch action {
        case "parts": [("POST", .addUploadPart(id: id))]
        case "complete": [("POST", .completeUpload(id: id))]
        case "cancel": [("POST", .cancelUpload(id: id))]
        default: [("GET", .getUpload(id: id))]
        }
    }

    private static func objectID(_ part: Substring, kind: String) throws(APIError) -> String {
        guard let id = PercentCoding.decode(part, plusIsSpace: false), ObjectName.isValid(id) else {
            throw .notFound(kind, id: String(part.prefix(ObjectName.maximumBytes)))
        }
        return id
    }
}

/// The spelling of object ids.
enum ObjectName {
    /// Longest id.
    static let maximumBytes = 128

    /// Whether a scheduler can have made this id: letters, digits, `-` and `_`.
    static func isValid(_ id: String) -> Bool {
        !id.isEmpty && id.utf8.count <= Self.maximumBytes
            && id.unicodeScalars.allSatisfy {
                $0.isASCII && ($0.properties.isAlphabetic || "0"..."9" ~= $0 || $0 == "-" || $0 == "_")
            }
    }
}
