import ProtoMessages

/// One batch as its client sees it.
final class Order: @unchecked Sendable {
    // Guard: only the main thread touches it.

    /// How its input comes to the scheduler.
    enum Input {
        /// As a file.
        case file
        /// As a file in parts.
        case parts
        /// In the create itself.
        case inline
        /// As what failed in another batch.
        case failedLines(of: Order)
    }

    /// A request; a batch of failed ones has those of the first batch.
    struct Line {
        let order: Int
        let number: Int

        var customID: String { "o\(self.order)-l\(self.number)" }

        /// What an engine is to get.
        var body: String {
            let model = (self.order + self.number / 50) % 7 == 0 ? "model-b" : "model-a"
            // A mark that the engine refuses for ever on some lines.
            let mark = self.number % 97 == 3 ? "!" : ""
            return #"{"model":"\#(model)","n":"\#(mark)","o":\#(self.order),"l":\#(self.number)}"#
        }
    }

    /// What the client knows of a pause.
    struct Pausing {
        /// How often one, or its end, was asked for.
        var wishes = 0
        var wishesUnderWay = 0
        /// Pauses that are asked for and to be followed by a resume, or by the end of the window.
        var pausesUnderWay = 0
        /// What was answered; nil: it is not known what the batch does now.
        var isPaused: Bool?
        /// Calls were given up, which may have their effect later.
        var hasLooseCalls = false
    }

    let number: Int
    let lines: [Line]
    let input: Input
    let isValid: Bool
    /// Nothing may come of it.
    var isRefused: Bool
    var fileID: String?
    /// Unix seconds.
    var fileExpiresAt: Int64?
    var batchID: String?
    var hasShortWindow = false
    var pausing = Pausing()
    /// How often its client has asked to delete the batch, and whether it is gone.
    var deletions = 0
    var isDeleted = false
    /// The last answer, and the first one that was terminal.
    var last: Batch?
    var terminal: Batch?
    var terminalAt: Int64 = .max
    /// Places of the lines that a retry has, once its files were looked at.
    var failed: [Int]?
    var isChecked = false

    init(number: Int, lines: [Line], input: Input, isValid: Bool = true, isRefused: Bool = false) {
        self.number = number
        self.lines = lines
        self.input = input
        self.isValid = isValid
        self.isRefused = isRefused
    }

    /// How many batches of failed lines led to this one.
    var generation: Int {
        if case .failedLines(let first) = self.input { first.generation + 1 } else { 0 }
    }

    /// The input file: each line names itself; an invalid one names a line twice.
    var content: [UInt8] {
        var bytes: [UInt8] = []
        for line in self.lines {
            let text =
                #"{"custom_id":"\#(line.customID)","method":"POST","url":"/v1/chat/completions","#
                + #""body":\#(line.body)}"#
            bytes += Array(text.utf8) + [UInt8(ascii: "\n")]
        }
        if !self.isValid { bytes += bytes.prefix { $0 != UInt8(ascii: "\n") } }
        return bytes
    }
}
