import JSONSpans

/// The file-level pass over a batch input while its bytes stream in: checks every line and makes the plan.
///
/// Memory is bounded by the longest line allowed. Pure: chunks in; plan bytes, the bytes of a `CustomIDTable` and findings
/// out.
public struct InputFileIndexer: Sendable {
    /// Bounds on a file (A2-08).
    public struct Limits: Sendable {
        /// Most requests.
        public var lines = 50_000
        /// Longest line, in bytes.
        public var lineBytes = 16 << 20
        /// Most distinct models.
        public var models = 64
        /// Most distinct urls.
        public var urls = 8
        /// Most texts of all embeddings requests together.
        public var embeddingInputs = 50_000
        /// Problems kept in full.
        public var problems = InputFileFindings.maximumProblems

        /// The documented defaults.
        public init() {}
    }

    /// A `custom_id` whose hash an earlier line's id has: the caller shows both lines to `resolve`.
    public struct Suspect: Sendable {
        /// The earlier request; where it is, the plan says.
        public var earlier: Int
        /// The later request.
        public var later: Int
        fileprivate var earlierLine: Int
        var line: Int

        init(earlier: CustomIDTable.Entry, later: CustomIDTable.Entry) {
            self.earlier = Int(earlier.request)
            self.later = Int(later.request)
            self.earlierLine = Int(earlier.line)
            self.line = Int(later.line)
        }
    }

    private let limits: Limits
    private var splitter: LineSplitter
    private var ids: [UInt8] = []
    private var plan = PlanHeader.encoded
    private var requests = 0
    /// The first one last.
    private var suspects: [Suspect] = []
    private var problems: [InputProblem] = []
    private var omitted = 0
    private var lines = 0
    private var models: [String] = []
    private var urls: [String] = []
    private var modelIndex: [[UInt8]: Int] = [:]
    private var urlIndex: [[UInt8]: Int] = [:]
    private var embeddingInputs = 0

    /// Nothing read yet.
    public init(limits: Limits = Limits()) {
        self.limits = limits
        self.splitter = LineSplitter(maximumLineBytes: limits.lineBytes)
    }

    /// Takes the next bytes of the file.
    public mutating func consume(_ chunk: UnsafeRawBufferPointer) {
        self.withSplitter { splitter, indexer in
            splitter.consume(chunk) { indexer.take($0, $1) }
        }
    }

    /// The file ends here.
    public mutating func finish() {
        self.withSplitter { splitter, indexer in
            splitter.finish { indexer.take($0, $1) }
        }
        if self.lines == 0, self.problems.isEmpty {
            self.add(LineProblem(.emptyFile, "The file has no requests."), line: nil)
        }
        if self.lines > self.limits.lines {
            self.add(
                LineProblem(
                    .tooManyTasks,
                    "The file has \(self.lines) requests; a batch has at most \(self.limits.lines)."
                ),
                line: nil
            )
        }
        if self.embeddingInputs > self.limits.embeddingInputs {
            self.add(
                LineProblem(
                    .tooManyEmbeddingInputs,
                    "The file asks for \(self.embeddingInputs) embeddings; a batch has at most "
                        + "\(self.limits.embeddingInputs)."
                ),
                line: nil
            )
        }
    }

    /// Plan bytes made since the last call, the header first.
    public mutating func takePlanBytes() -> [UInt8] {
        defer { self.plan = [] }
        return self.plan
    }

    /// Bytes for a `CustomIDTable` made since the last call.
    public mutating func takeIDBytes() -> [UInt8] {
        defer { self.ids = [] }
        return self.ids
    }

    /// The file has ended and these are its ids: from now on there may be suspicions.
    public mutating func check(_ ids: consuming CustomIDTable) {
        self.suspects = ids.suspects().reversed()
    }

    /// The next suspicion to confirm; the caller asks until there is none. Once as many problems are known as are shown,
    /// more suspicions only count.
    public mutating func nextSuspect() -> Suspect? {
        guard let suspect = self.suspects.last else { return nil }
        guard self.problems.count(where: { $0.line.map { $0 < suspect.line } ?? false }) < self.limits.problems else {
            self.omitted += self.suspects.count
            self.suspects = []
            return nil
        }
        return self.suspects.popLast()
    }

    /// Confirms or drops a suspicion with the bytes of its lines.
    public mutating func resolve(
        _ suspect: Suspect,
        earlierLine: UnsafeRawBufferPointer,
        laterLine: UnsafeRawBufferPointer
    ) {
        guard let earlier = Self.customID(earlierLine), earlier == Self.customID(laterLine) else { return }
        self.problems.append(
            InputProblem(
                code: LineProblem.Code.duplicateCustomID.rawValue,
                message: "This custom_id stands already in line \(suspect.earlierLine).",
                param: "custom_id",
                line: suspect.line
            )
        )
    }

    private static func customID(_ line: UnsafeRawBufferPointer) -> [UInt8]? {
        guard let parts = try? BatchLine.parse(line) else { return nil }
        return JSONString.decode(UnsafeRawBufferPointer(rebasing: line[parts.customID]))
    }

    /// What was found, problems in line order.
    public var findings: InputFileFindings {
        let problems = self.problems.sorted { ($0.line ?? .max) < ($1.line ?? .max) }
        return InputFileFindings(
            lines: self.lines,
            models: self.models,
            urls: self.urls,
            problems: Array(problems.prefix(self.limits.problems)),
            problemsOmitted: self.omitted + max(0, problems.count - self.limits.problems)
        )
    }
}

extension InputFileIndexer {
    /// Moves the splitter out while it calls back: a copy would copy the line it carries at every chunk.
    private mutating func withSplitter(_ body: (inout LineSplitter, inout InputFileIndexer) -> Void) {
        var splitter = LineSplitter(maximumLineBytes: self.limits.lineBytes)
        swap(&splitter, &self.splitter)
        body(&splitter, &self)
        swap(&splitter, &self.splitter)
    }

    private mutating func take(_ line: LineSplitter.Line, _ bytes: UnsafeRawBufferPointer?) {
        guard let bytes else {
            self.lines += 1
            let message = "This line is longer than \(self.limits.lineBytes) bytes."
            return self.add(LineProblem(.lineTooLong, message), line: line.number)
        }
        if bytes.allSatisfy({ $0 == 0x20 || $0 == 0x09 }) { return }
        self.lines += 1
        guard self.lines <= self.limits.lines else { return }
        do throws(LineProblem) {
            let parts = try BatchLine.parse(bytes)
            let entry = PlanEntry(
                offset: line.offset,
                length: UInt32(line.length),
                model: UInt16(try self.model(bytes[parts.model])),
                url: UInt8(try self.url(bytes[parts.url]))
            )
            self.note(entry, parts, bytes, line.number)
        } catch {
            self.add(error, line: line.number)
        }
    }

    private mutating func note(
        _ entry: PlanEntry,
        _ parts: BatchLine,
        _ bytes: UnsafeRawBufferPointer,
        _ line: Int
    ) {
        if self.urls[Int(entry.url)] == "/v1/embeddings" {
            self.embeddingInputs += parts.inputCount
        }
        let id = JSONString.decode(UnsafeRawBufferPointer(rebasing: bytes[parts.customID]))
        CustomIDTable.Entry(id: id, request: self.requests, line: line).append(to: &self.ids)
        entry.append(to: &self.plan)
        self.requests += 1
    }

    private mutating func model(_ raw: Slice<UnsafeRawBufferPointer>) throws(LineProblem) -> Int {
        if let index = self.modelIndex[Array(raw)] { return index }
        let name = String(decoding: JSONString.decode(UnsafeRawBufferPointer(rebasing: raw)), as: UTF8.self)
        let index = self.models.firstIndex(of: name) ?? self.models.count
        guard index < self.limits.models else {
            throw LineProblem(
                .tooManyModels,
                "The file names more than \(self.limits.models) models.",
                param: "body.model"
            )
        }
        if index == self.models.count { self.models.append(name) }
        if self.modelIndex.count < 4 * self.limits.models { self.modelIndex[Array(raw)] = index }
        return index
    }

    private mutating func url(_ raw: Slice<UnsafeRawBufferPointer>) throws(LineProblem) -> Int {
        if let index = self.urlIndex[Array(raw)] { return index }
        let name = String(decoding: JSONString.decode(UnsafeRawBufferPointer(rebasing: raw)), as: UTF8.self)
        let index = self.urls.firstIndex(of: name) ?? self.urls.count
        guard index < self.limits.urls else {
            throw LineProblem(.tooManyURLs, "The file names more than \(self.limits.urls) urls.", param: "url")
        }
        if index == self.urls.count { self.urls.append(name) }
        if self.urlIndex.count < 4 * self.limits.urls { self.urlIndex[Array(raw)] = index }
        return index
    }

    private mutating func add(_ problem: LineProblem, line: Int?) {
        guard self.problems.count < self.limits.problems else {
            self.omitted += 1
            return
        }
        self.problems.append(
            InputProblem(code: problem.code.rawValue, message: problem.message, param: problem.param, line: line)
        )
    }
}
