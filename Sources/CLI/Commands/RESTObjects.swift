/// A batch as the gateway gives it.
struct BatchAnswer: Codable, Sendable {
    struct Counts: Codable, Sendable {
        var total: Int
        var completed: Int
        var failed: Int
    }
    struct Problems: Codable, Sendable {
        var data: [Problem]
    }
    struct Problem: Codable, Sendable {
        var code: String?
        var message: String?
        var line: Int?
    }
    struct Extension: Codable, Sendable {
        var waiting_reason: String?
    }

    var id: String
    var status: String
    var endpoint: String
    var created_at: Int
    var output_file_id: String?
    var error_file_id: String?
    var request_counts: Counts?
    var errors: Problems?
    var backfill: Extension?

    var isTerminal: Bool { ["completed", "failed", "expired", "cancelled"].contains(self.status) }
}

/// A page of batches.
struct BatchList: Codable, Sendable {
    var data: [BatchAnswer]
}

/// A file as the gateway gives it.
struct FileAnswer: Codable, Sendable {
    var id: String
    var bytes: Int
}
