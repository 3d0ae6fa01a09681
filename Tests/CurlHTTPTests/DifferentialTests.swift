import NIOHTTP1
import TestSupport
import Testing

@testable import CurlHTTP

/// The parser beside llhttp, by way of SwiftNIO.
@Suite struct DifferentialTests {
    @Test("a good answer is read as it was meant, by both", arguments: (0..<20).map { UInt64($0) })
    func goodAnswers(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for number in 0..<50 {
            let answer = GeneratedAnswer(&random)
            let read = readWhole(answer)
            #expect(
                read.status == answer.status && read.body == answer.body && read.unread == answer.unread
                    && read.end == (answer.endsWithConnection ? .untilConnectionEnds : .complete),
                "seed \(seed), answer \(number): \(answer), read \(read)"
            )
            if let difference = try self.difference(answer, read) {
                Issue.record("seed \(seed), answer \(number): \(difference): \(answer)")
            }
        }
    }

    @Test("an answer with a wrong byte is refused, or read as llhttp reads it", arguments: (0..<20).map { UInt64($0) })
    func wrongBytes(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: ~seed)
        for number in 0..<100 {
            var answer = GeneratedAnswer(&random)
            answer.mutate(&random)
            if let difference = try self.difference(answer, readWhole(answer)) {
                Issue.record("seed \(seed), answer \(number): \(difference): \(answer)")
            }
        }
    }

    private func readWhole(_ answer: GeneratedAnswer) -> ReadAnswer {
        answer.bytes.withUnsafeBytes { ReadAnswer([$0[...]], toHead: answer.toHead) }
    }

    /// How both differ, other than as they are meant to; nil: they do not.
    private func difference(_ answer: GeneratedAnswer, _ read: ReadAnswer) throws -> String? {
        var reference = try ReferenceAnswer(toHead: answer.toHead)
        defer { reference.close() }
        let bytes = answer.bytes[..<(answer.bytes.count - read.unread)]
        if read.end == .complete {
            // The end is neither before the last byte nor behind it.
            try reference.read(bytes.dropLast())
            if reference.isComplete { return "llhttp ends earlier" }
            if reference.error == nil { try reference.read(bytes.suffix(1)) }
        } else {
            try reference.read(bytes)
        }
        switch (read.end, reference.error) {
        case (.refused(let message), nil):
            return Strictness.explains(message, answer.bytes) ? nil : "llhttp does not say '\(message)'"
        case (.refused, .some), (.open, .some): return nil
        case (_, let error?):
            return Leniency.allCases.contains { $0.explains(error, answer, read) } ? nil : "llhttp says \(error)"
        case (_, nil):
            if read.status != reference.status { return "llhttp has status \(String(describing: reference.status))" }
            if read.body != reference.body { return "llhttp has a body of \(reference.body)" }
            return (read.end == .complete) == reference.isComplete ? nil : "llhttp does not end there"
        }
    }
}

/// What llhttp takes and we do not: by what we say, and what is in the bytes.
private enum Strictness {
    static func explains(_ message: String, _ bytes: [UInt8]) -> Bool {
        switch message {
        // RFC 9112, 6.1: no other one was asked for. llhttp reads on to the connection's end.
        case "the answer has a transfer coding other than chunked": true
        // RFC 9112, 4: a reason has none. The fields behind a good status line are looked at by both.
        case "the answer's header holds a control byte": true
        // RFC 9112, 2.2: only a server passes over empty lines.
        case "what came is no answer of HTTP/1": bytes.first == 0x0D || bytes.first == 0x0A
        default: false
        }
    }
}

/// What we take and llhttp does not: by what it says, and what is in the bytes.
private enum Leniency: CaseIterable {
    /// RFC 9112, 2.2: a line may end without a carriage return; what is made up has no other line feeds.
    case lineFeed
    /// RFC 9112, 5.2: a client may take lines that are continued.
    case continuedLine
    /// Names with separators in them are nobody's.
    case separatorInName
    /// RFC 9112, 7.1.1: extensions are passed over.
    case chunkExtension
    /// RFC 9112, 7.1.2: trailers are passed over.
    case trailer

    func explains(_ error: HTTPParserError, _ answer: GeneratedAnswer, _ read: ReadAnswer) -> Bool {
        let bytes = answer.bytes
        let isChunked = read.head?.isChunked == true
        return switch self {
        case .lineFeed: zip([0] + bytes, bytes).contains { $0 != 0x0D && $1 == 0x0A }
        case .continuedLine: zip(bytes, bytes.dropFirst()).contains { $0 == 0x0A && ($1 == 0x20 || $1 == 0x09) }
        case .separatorInName: error == .invalidHeaderToken && read.head?.hasSeparatorInName == true
        case .chunkExtension: error == .strictModeAssertion && isChunked
        case .trailer: error == .invalidHeaderToken && isChunked && read.end == .complete
        }
    }
}

extension ResponseHead {
    fileprivate var hasSeparatorInName: Bool {
        self.fields.raw.split(separator: 0x0A).dropFirst().contains { line in
            line.prefix { $0 != UInt8(ascii: ":") }.contains { "\"(),/;<=>?@[\\]{}".utf8.contains($0) }
        }
    }
}
