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

    init(decoding bytes: ByteBuffer, pieceBytes: Int, limits: FrameLimits) {
        var rest = bytes
        var decoder = FrameDecoder(limits: limits)
        while let piece = rest.readSlice(length: min(pieceBytes, rest.readableBytes)), piece.readableBytes > 0 {
            decoder.append(piece)
            let held = self.decode(&decoder)
            let arrived = bytes.readableBytes - rest.readableBytes
            check(held <= arrived, "holds \(held) bytes of \(arrived)")
            check(held < FrameHeader.size + limits.maximumDataBytes, "holds \(held) bytes")
        }
    }

    /// Gives the bytes that wait for the rest of their frame.
    private mutating func decode(_ decoder: inout FrameDecoder) -> Int {
        do {
            while let event = try decoder.next() { self.events.append(event) }
        } catch {
            self.error = error
        }
        return decoder.bufferedBytes
    }
}
