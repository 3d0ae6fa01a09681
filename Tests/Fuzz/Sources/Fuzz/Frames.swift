import NIOCore
import ProtoFraming

/// However the bytes are cut, the same frames come out of them; no more is held than has arrived; frames that were
/// encoded again are the same frames.
func fuzzFrames(_ input: ByteBuffer) {
    var input = input
    guard let choice = input.readInteger(as: UInt8.self) else { return }
    // Small limits, so that short inputs cross them; or those of a server.
    let limits =
        choice & 1 == 0 ? FrameLimits(maximumDataBytes: 32, maximumDiscardedBytes: 256) : FrameLimits()
    let pieceBytes = 1 + Int(choice >> 1) % 16

    let whole = Outcome(decoding: input, pieceBytes: max(input.readableBytes, 1), limits: limits)
    let pieces = Outcome(decoding: input, pieceBytes: pieceBytes, limits: limits)
    check(whole == pieces, "pieces of \(pieceBytes) bytes give \(pieces), all at once \(whole)")

    let runs = Outcome(decoding: input, pieceBytes: max(input.readableBytes, 1), limits: limits, byRuns: true)
    check(whole == runs, "runs give \(runs), frames \(whole)")
    let piecesOfRuns = Outcome(decoding: input, pieceBytes: 3 * pieceBytes, limits: limits, byRuns: true)
    check(whole == piecesOfRuns, "runs of pieces give \(piecesOfRuns), frames \(whole)")

    var encoded = ByteBuffer()
    for case .frame(let frame) in whole.events {
        check(frame.data.readableBytes <= limits.maximumDataBytes, "a frame over the limit")
        frame.write(into: &encoded)
    }
    let again = Outcome(decoding: encoded, pieceBytes: max(encoded.readableBytes, 1), limits: limits)
    let frames = whole.events.filter { if case .frame = $0 { true } else { false } }
    check(again.events == frames && again.error == nil, "encoded again: \(again), before: \(frames)")
}

private struct Outcome: Equatable {
    var events: [FrameDecoder.Event] = []
    var error: FrameError?

    init(decoding bytes: ByteBuffer, pieceBytes: Int, limits: FrameLimits, byRuns: Bool = false) {
        var rest = bytes
        var decoder = FrameDecoder(limits: limits)
        while let piece = rest.readSlice(length: min(pieceBytes, rest.readableBytes)), piece.readableBytes > 0 {
            decoder.append(piece)
            let held = self.decode(&decoder, byRuns: byRuns)
            let arrived = bytes.readableBytes - rest.readableBytes
            check(held <= arrived, "holds \(held) bytes of \(arrived)")
            check(held < FrameHeader.size + limits.maximumDataBytes, "holds \(held) bytes")
        }
    }

    /// Gives the bytes that wait for the rest of their frame.
    private mutating func decode(_ decoder: inout FrameDecoder, byRuns: Bool) -> Int {
        do {
            while true {
                if byRuns, let run = decoder.run() {
                    let taken = run.takeMessages { data in
                        self.events.append(.frame(Frame(streamID: run.streamID, type: .data, data: data)))
                        return true
                    }
                    check(taken == run.count, "a run of \(run.count) messages has \(taken)")
                    var bytes = 0
                    run.forEachMessage { bytes += FrameHeader.size + $0.count }
                    let before = decoder.bufferedBytes
                    decoder.consume(run)
                    check(before - decoder.bufferedBytes == bytes, "a run of \(bytes) bytes")
                    continue
                }
                guard let event = try decoder.next() else { break }
                self.events.append(event)
            }
        } catch {
            self.error = error
        }
        return decoder.bufferedBytes
    }
}
