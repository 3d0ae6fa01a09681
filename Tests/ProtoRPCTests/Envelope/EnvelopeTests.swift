import NIOCore
import ProtoMessages
import TestSupport
import Testing

@testable import ProtoRPC

/// The envelope code against the generated types, which are libprotobuf-c.
@Suite struct EnvelopeTests {
    private let limits = EnvelopeLimits(maximumMetadataPairs: 8, maximumMetadataBytes: 200, maximumNameBytes: 64)

    @Test("G3 an encoded request is byte for byte that of the generated types", arguments: 0..<100)
    func encodesRequests(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let envelope = Self.envelope(&random)
        let message = Envelope.KeyValue(value: random.text(0...40_000))
        let data = try FrameEncoding.request(
            Self.head(envelope),
            message,
            maximumDataBytes: 4 << 20
        )
        var expected = envelope
        expected.payload = try message.serialized()
        #expect(data == (try expected.serialized()), "seed \(seed)")
        let opening = try FrameEncoding.request(Self.head(envelope), maximumDataBytes: 4 << 20)
        #expect(opening == (try envelope.serialized()), "seed \(seed)")
    }

    @Test("G3 an encoded response is byte for byte that of the generated types", arguments: [0, 1, 127, 128, 20_000])
    func encodesResponses(length: Int) throws {
        let message = Envelope.KeyValue(value: String(repeating: "x", count: length))
        let data = try FrameEncoding.response(message, maximumDataBytes: 4 << 20)
        #expect(data == (try Envelope.Response(payload: try message.serialized()).serialized()))
    }

    @Test("G3 a request of the generated types is read back", arguments: 0..<100)
    func readsRequests(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        var envelope = Self.envelope(&random)
        envelope.payload = ByteBuffer(string: random.text(0...300))
        let read = try RequestEnvelope(reading: try envelope.serialized(), limits: self.limits)
        #expect(read.service == envelope.service, "seed \(seed)")
        #expect(read.method == envelope.method, "seed \(seed)")
        #expect(read.payload == envelope.payload, "seed \(seed)")
        #expect(read.timeoutNanoseconds == envelope.timeoutNano, "seed \(seed)")
        #expect(read.metadata == Self.metadata(envelope), "seed \(seed)")
    }

    @Test(
        "a key or a length of more than five bytes is refused, as protobuf-c does",
        arguments: [
            // Field 16 and its number in six bytes; field 3 and its length of 0 in six bytes.
            [0x80, 0x81, 0x80, 0x80, 0x80, 0x00, 0x00], [0x1A, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
        ] as [[UInt8]]
    )
    func longForms(bytes: [UInt8]) {
        let data = ByteBuffer(bytes: bytes)
        #expect(throws: EnvelopeError.malformed) { try RequestEnvelope(reading: data, limits: self.limits) }
        #expect(throws: ProtoDecodingError.malformed) { try Envelope.Request(serialized: data) }
    }

    @Test("damaged requests never crash, and what both accept they read alike", arguments: 0..<300)
    func damaged(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        var envelope = Self.envelope(&random)
        envelope.payload = ByteBuffer(string: random.text(0...30))
        var data = try envelope.serialized()
        for _ in 0..<Int.random(in: 1...4, using: &random) where data.readableBytes > 0 {
            data.setInteger(
                UInt8.random(in: 0...255, using: &random),
                at: Int.random(in: 0..<data.readableBytes, using: &random)
            )
        }
        _ = ResponseEnvelope.outcome(reading: data)
        guard
            let ours = try? RequestEnvelope(reading: data, limits: self.limits),
            let theirs = try? Envelope.Request(serialized: data)
        else { return }
        #expect(ours.service == theirs.service, "seed \(seed)")
        #expect(ours.method == theirs.method, "seed \(seed)")
        #expect(ours.payload == theirs.payload, "seed \(seed)")
        #expect(ours.timeoutNanoseconds == theirs.timeoutNano, "seed \(seed)")
        #expect(ours.metadata == Self.metadata(theirs), "seed \(seed)")
    }

    @Test func fieldsOfLaterVersionsArePassedOver() throws {
        let expected = try Envelope.Request(service: "s", method: "m").serialized()
        var data = expected
        // Fields 6 to 9: varint, fixed64, bytes, fixed32.
        data.writeBytes([6 << 3, 0x96, 0x01])
        data.writeBytes([7 << 3 | 1] + [UInt8](repeating: 1, count: 8))
        data.writeBytes([8 << 3 | 2, 2, 0xff, 0xff])
        data.writeBytes([9 << 3 | 5] + [UInt8](repeating: 1, count: 4))
        let read = try RequestEnvelope(reading: data, limits: self.limits)
        #expect(read == (try RequestEnvelope(reading: expected, limits: self.limits)))
    }

    @Test(
        "what is no protobuf is malformed",
        arguments: [
            [0x0a], [0x0a, 0x05, 0x61], [0x0b], [0x00], [0x08, 0x01], [0x20], [0x0a, 0x01, 0xff],
            [0x20] + [UInt8](repeating: 0xff, count: 10), [0x2a, 0x02, 0x0a, 0x05],
        ] as [[UInt8]]
    )
    func malformed(bytes: [UInt8]) {
        #expect(throws: EnvelopeError.malformed) {
            try RequestEnvelope(reading: ByteBuffer(bytes: bytes), limits: self.limits)
        }
    }

    @Test("G3-01 G5-04 data is the message alone, and one that is too long is not sent")
    func message() throws {
        let message = Envelope.KeyValue(key: "a")
        #expect(try FrameEncoding.message(message, maximumDataBytes: 3) == ByteBuffer(bytes: [0x0a, 0x01, 0x61]))
        #expect(try FrameEncoding.message(Envelope.KeyValue(), maximumDataBytes: 0) == ByteBuffer())
        #expect {
            try FrameEncoding.message(message, maximumDataBytes: 2)
        } throws: { ($0 as? RPCError)?.code == .resourceExhausted }
    }

    @Test("G3-02 an error's status is read back with its details")
    func status() throws {
        let error = RPCError(
            code: .aborted,
            message: "conflict",
            details: [Envelope.AnyMessage(typeURL: "t", value: ByteBuffer(string: "v"))]
        )
        let data = FrameEncoding.failure(error, maximumDataBytes: 4 << 20)
        #expect(ResponseEnvelope.outcome(reading: data) == .failure(error))
    }

    @Test("G5-04 an error that does not fit is cut, never turned into a success")
    func largeError() {
        let error = RPCError(
            code: .aborted,
            message: "conflict",
            details: [Envelope.AnyMessage(typeURL: "t", value: ByteBuffer(repeating: 0, count: 1_000))]
        )
        for (limit, message) in [(100, "conflict"), (10, "")] {
            let data = FrameEncoding.failure(error, maximumDataBytes: limit)
            #expect(data.readableBytes <= limit)
            #expect(ResponseEnvelope.outcome(reading: data) == .failure(RPCError(code: .aborted, message: message)))
        }
    }

    @Test("G3-02 an answer with two statuses is malformed, not a success by the second")
    func twoStatuses() {
        // ABORTED, then a status without a code.
        guard case .failure(let error) = ResponseEnvelope.outcome(reading: bytes("0a 02 08 0a  0a 00")) else {
            Issue.record("a success")
            return
        }
        #expect(error.code == .internal)
    }

    @Test("G3-02 an error with code OK travels as UNKNOWN")
    func okError() {
        let data = FrameEncoding.failure(RPCError(code: .ok, message: "odd"), maximumDataBytes: 100)
        #expect(ResponseEnvelope.outcome(reading: data) == .failure(RPCError(code: .unknown, message: "odd")))
    }

    /// Keys are lower-cased (G3-04).
    private static func metadata(_ envelope: Envelope.Request) -> RPCMetadata {
        RPCMetadata(envelope.metadata.map { ($0.key, $0.value) })
    }

    private static func head(_ envelope: Envelope.Request) -> FrameEncoding.Head {
        FrameEncoding.Head(
            service: envelope.service,
            method: envelope.method,
            timeoutNanoseconds: envelope.timeoutNano,
            metadata: envelope.metadata
        )
    }

    private static func envelope(_ random: inout SeededGenerator) -> Envelope.Request {
        Envelope.Request(
            service: random.text(0...30),
            method: random.text(0...30),
            timeoutNano: Bool.random(using: &random) ? 0 : Int64(bitPattern: random.next()),
            metadata: (0..<Int.random(in: 0...8, using: &random)).map { _ in
                Envelope.KeyValue(key: random.text(0...9), value: random.text(0...9))
            }
        )
    }
}

extension SeededGenerator {
    fileprivate mutating func text(_ lengths: ClosedRange<Int>) -> String {
        let length = Int.random(in: lengths, using: &self)
        return String((0..<length).map { _ in Character(UnicodeScalar(UInt8.random(in: 32...126, using: &self))) })
    }
}
