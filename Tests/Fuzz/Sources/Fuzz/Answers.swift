import NIOCore

@testable import CurlHTTP

/// However the bytes of an engine are cut, the same answer comes out of them; no more is read than was given; what the
/// head tells is what its fields say.
func fuzzAnswer(_ input: ByteBuffer) {
    var input = input
    guard let choice = input.readInteger(as: UInt8.self),
        let lengths = input.readBytes(length: min(1 + Int(choice >> 1) % 8, input.readableBytes)), !lengths.isEmpty
    else { return }
    let toHead = choice & 1 == 1
    let bytes = Array(input.readableBytesView)
    bytes.withUnsafeBytes { bytes in
        let whole = Outcome(reading: bytes, pieceBytes: [max(bytes.count, 1)], toHead: toHead)
        let pieces = Outcome(reading: bytes, pieceBytes: lengths.map { 1 + Int($0) }, toHead: toHead)
        check(whole == pieces, "pieces of \(lengths) give \(pieces), all at once \(whole)")
        let single = Outcome(reading: bytes, pieceBytes: [1], toHead: toHead)
        check(whole == single, "byte by byte \(single), all at once \(whole)")
    }
}

private struct Outcome: Equatable {
    private var status = 0
    private var fields: [UInt8] = []
    private var isPersistent = false
    private var body: [UInt8] = []
    private var isComplete = false
    private var endsWithConnection = false
    private var unread = 0
    private var refusal: MalformedResponse?

    /// Gives the parser pieces of these lengths, again and again.
    init(reading bytes: UnsafeRawBufferPointer, pieceBytes: [Int], toHead: Bool) {
        var parser = ResponseParser(toHead: toHead)
        var start = 0
        var pieces = 0
        while start < bytes.count, self.refusal == nil {
            let end = min(start + pieceBytes[pieces % pieceBytes.count], bytes.count)
            self.read(UnsafeRawBufferPointer(rebasing: bytes[start..<end]), &parser)
            (start, pieces) = (end, pieces + 1)
        }
        self.endsWithConnection = parser.endsWithConnection
    }

    private mutating func read(_ piece: UnsafeRawBufferPointer, _ parser: inout ResponseParser) {
        var rest = piece
        while !self.isComplete {
            let step: ResponseParser.Step
            do throws(MalformedResponse) {
                step = try parser.next(rest)
            } catch {
                self.refusal = error
                return
            }
            check((0...rest.count).contains(step.consumed), "read \(step.consumed) bytes of \(rest.count)")
            rest = UnsafeRawBufferPointer(rebasing: rest[step.consumed...])
            switch step.event {
            case nil:
                check(rest.isEmpty, "\(rest.count) bytes are left of an answer that is not complete")
                return
            case .head: self.take(parser.head)
            case .body(let count):
                check(count > 0 && count <= rest.count, "\(count) bytes of a body in \(rest.count)")
                self.body += rest[..<count]
                parser.took(count)
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            case .end: self.isComplete = true
            }
        }
        self.unread += rest.count
    }

    private mutating func take(_ head: ResponseHead) {
        check(self.status == 0, "two heads")
        check((200...999).contains(head.status), "status \(head.status)")
        check(head.fields.raw.count <= HTTPResponseHeaders.maximumBytes, "a head of \(head.fields.raw.count) bytes")
        let (length, coding) = (head.fields["content-length"], head.fields["transfer-encoding"]?.lowercased())
        check(length.map { Int($0) == head.contentLength } ?? true || head.isChunked, "length \(length ?? "")")
        check(head.contentLength == nil || length != nil, "a length that no field tells")
        check(coding == (head.isChunked ? "chunked" : nil), "coding \(coding ?? "")")
        (self.status, self.fields, self.isPersistent) = (head.status, head.fields.raw, head.isPersistent)
    }
}
