public import NIOCore

/// Reads the form of `POST /v1/files` as it comes: bytes in, actions out.
///
/// Fields may come in any order (A7-02), so the purpose may be known only after the last byte of the file.
public struct FileFormStateMachine: UploadForm {
    private enum Part {
        case file
        case field(String, value: ByteBuffer)
    }

    private static let fields = ["purpose", "expires_after[anchor]", "expires_after[seconds]"]
    /// Longest value of a field that is not the file.
    private static let maximumFieldBytes = 1 << 10

    private var multipart: MultipartStateMachine
    private var part: Part?
    private var filename: String?
    private var fileBytes: UInt64 = 0
    private var fields: [String: String] = [:]

    /// Begins a form.
    ///
    /// - Throws: 415 or 400 when the content type is not that of a form.
    public init(contentType: String, limits: MultipartLimits = MultipartLimits()) throws(APIError) {
        self.multipart = MultipartStateMachine(
            boundary: try MultipartBoundary(contentType: contentType),
            limits: limits
        )
    }

    /// Adds bytes of the body; then ask `next()` until it gives nil.
    public mutating func append(_ bytes: ByteBuffer) {
        self.multipart.append(bytes)
    }

    /// The next thing to do; nil when more bytes are needed.
    ///
    /// - Throws: 400 for a malformed form or a wrong field, 413 when the file is too large.
    public mutating func next() throws(APIError) -> UploadFormAction? {
        while let event = try self.multipart.next() {
            if let action = try self.action(event) { return action }
        }
        return nil
    }

    /// The body has ended.
    ///
    /// - Throws: 400 when something is missing, 413 when the file is too large for its purpose.
    public mutating func finish() throws(APIError) -> FileUpload {
        try self.multipart.finish()
        guard let filename = self.filename else { throw .missing("file") }
        guard let purpose = self.fields["purpose"] else { throw .missing("purpose") }
        try self.checkSize()
        return FileUpload(
            filename: filename,
            purpose: purpose,
            bytes: self.fileBytes,
            expiresAfterSeconds: try self.expiresAfterSeconds()
        )
    }

    private mutating func action(_ event: MultipartEvent) throws(APIError) -> UploadFormAction? {
        switch (event, self.part) {
        case (.part(let head), _): return try self.begin(head)
        case (.content(let bytes), .file):
            self.fileBytes += UInt64(bytes.readableBytes)
            try self.checkSize()
            return .fileContent(bytes)
        case (.content(let bytes), .field(let name, var value)):
            guard value.readableBytes + bytes.readableBytes <= Self.maximumFieldBytes else {
                throw .invalidValue("'\(name)' is longer than \(Self.maximumFieldBytes) bytes.", param: name)
            }
            value.writeImmutableBuffer(bytes)
            self.part = .field(name, value: value)
            return nil
        case (.partEnd, .file):
            self.part = nil
            return .endFile
        case (.partEnd, .field(let name, let value)):
            self.part = nil
            try self.set(name, to: String(buffer: value))
            return nil
        case (.end, _), (.content, nil), (.partEnd, nil): return nil
        }
    }

    private mutating func begin(_ head: MultipartPartHead) throws(APIError) -> UploadFormAction? {
        guard head.name == "file" else {
            guard Self.fields.contains(head.name) else {
                throw Suggestion.unknown("form field", head.name, among: Self.fields + ["file"])
            }
            guard self.fields[head.name] == nil else {
                throw .invalidValue("'\(head.name)' is given more than once.", param: head.name)
            }
            self.part = .field(head.name, value: ByteBuffer())
            return nil
        }
        guard self.filename == nil else {
            throw .invalidValue("'file' is given more than once; upload one file a request.", param: "file")
        }
        self.filename = try Self.check(filename: head.filename)
        self.part = .file
        return .beginFile(purpose: self.fields["purpose"])
    }

    private static func check(filename: String?) throws(APIError) -> String {
        guard let filename, !filename.isEmpty else {
            throw .invalidValue("'file' must be sent as a file with a file name.", param: "file")
        }
        guard filename.utf8.count <= FilePurpose.maximumFilenameBytes else {
            throw .invalidValue(
                "The file name is longer than \(FilePurpose.maximumFilenameBytes) bytes.",
                param: "file"
            )
        }
        // Protobuf's C strings end at NUL.
        guard !filename.utf8.contains(0) else {
            throw .invalidValue("The file name contains NUL.", param: "file")
        }
        return filename
    }

    private mutating func set(_ name: String, to value: String) throws(APIError) {
        switch name {
        case "purpose":
            guard FilePurpose.uploaded.contains(value) else {
                throw .invalidValue(
                    "'purpose' must be one of \(FilePurpose.uploaded.joined(separator: ", ")).",
                    param: "purpose"
                )
            }
        case "expires_after[anchor]": try ExpiresAfter.check(anchor: value, param: name)
        default:
            guard let seconds = Int64(value) else {
                throw .invalidValue("'\(name)' must be a whole number.", param: name)
            }
            _ = try ExpiresAfter.check(seconds: seconds, param: name)
        }
        self.fields[name] = value
        try self.checkSize()
    }

    private func checkSize() throws(APIError) {
        let purpose = self.fields["purpose"]
        let limit = FilePurpose.maximumBytes(purpose)
        guard self.fileBytes <= limit else {
            let kind = purpose.map { " with purpose '\($0)'" } ?? ""
            throw .tooLarge("The file is too large: a file\(kind) may have \(limit) bytes.", param: "file")
        }
    }

    private func expiresAfterSeconds() throws(APIError) -> UInt64? {
        switch (self.fields["expires_after[anchor]"], self.fields["expires_after[seconds]"].flatMap(UInt64.init)) {
        case (nil, nil): return nil
        case (nil, _): throw .missing("expires_after[anchor]")
        case (_, nil): throw .missing("expires_after[seconds]")
        case (_, let seconds): return seconds
        }
    }
}

/// What the form says about a file whose content was already handed on.
public struct FileUpload: Sendable, Equatable {
    /// As the client named it: data, never a path (A7-11).
    public var filename: String
    /// One of `FilePurpose.uploaded`.
    public var purpose: String
    /// Size of the content.
    public var bytes: UInt64
    /// Life time from now; nil: the purpose's default.
    public var expiresAfterSeconds: UInt64?
}
