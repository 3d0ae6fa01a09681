import NIOCore
import ProtoMessages
import TestSupport
import Testing

struct MessageTests {
    static let batch = Batch(
        id: "batch_1",
        endpoint: "/v1/chat/completions",
        model: "a\u{0}b",
        status: .cancelling,
        createdAt: -1,
        expiresAt: .max,
        inProgressAt: 0,
        requestCounts: RequestCounts(total: 3, completed: .max, failed: 1),
        metadata: ["k": "v", "é": "🚀", "": ""],
        errors: [BatchError(code: "c", message: "m", line: 7), BatchError()],
        errorsOmitted: 9
    )

    @Test func everyKindOfFieldComesBack() throws {
        let bytes = try Self.batch.serialized()
        #expect(try Batch(serialized: bytes) == Self.batch)
        let part = InferRequest(part: .chunk(InferChunk(sequence: 5, data: ByteBuffer(string: "x"))))
        #expect(try InferRequest(serialized: part.serialized()) == part)
        let envelope = Envelope.Request(
            service: "s",
            method: "m",
            payload: bytes,
            timeoutNano: -5,
            metadata: [.init(key: "a", value: "b"), .init(key: "a", value: "c")]
        )
        #expect(try Envelope.Request(serialized: envelope.serialized()) == envelope)
    }

    /// The bytes are those of Python's protobuf for `GetFileRequest(file_id="file-1")` and
    /// `BatchError(code="c", line=300)`.
    @Test func bytesAreThoseOfOtherImplementations() throws {
        let request = try GetFileRequest(fileID: "file-1").serialized()
        #expect(Array(request.readableBytesView) == [0x0A, 0x06] + Array("file-1".utf8))
        let error = try BatchError(code: "c", line: 300).serialized()
        #expect(Array(error.readableBytesView) == [0x0A, 0x01, 0x63, 0x20, 0xAC, 0x02])
    }

    @Test func presenceIsKept() throws {
        #expect(try BatchError(serialized: BatchError(line: 0).serialized()).line == 0)
        #expect(try BatchError(serialized: BatchError().serialized()).line == nil)
        #expect(try GetFileResponse(serialized: ByteBuffer()).file == nil)
    }

    @Test func unknownFieldsAreIgnoredAndUnknownNumbersKept() throws {
        // Field 99, a varint, then status (field 6) with a number nobody has named.
        let bytes = ByteBuffer(bytes: [0x98, 0x06, 0x05, 0x30, 0x63])
        #expect(try Batch(serialized: bytes).status == BatchStatus(rawValue: 99))
    }

    @Test func stringsMustBeUTF8() {
        #expect(throws: ProtoDecodingError.invalidUTF8) {
            _ = try GetFileRequest(serialized: ByteBuffer(bytes: [0x0A, 0x02, 0xC3, 0x28]))
        }
    }

    @Test func sizesAreBounded() throws {
        let limits = ProtoDecodingLimits(maximumMessageBytes: 100, maximumDecodedBytes: 1_000)
        #expect(throws: ProtoDecodingError.tooLarge) {
            _ = try Batch(serialized: ByteBuffer(repeating: 0, count: 101), limits: limits)
        }
        // A megabyte of empty messages would take dozens of megabytes.
        let empties = ByteBuffer(bytes: (0..<500_000).flatMap { _ in [0xAA, 0x01, 0x00] as [UInt8] }.prefix(1_500_000))
        #expect(throws: ProtoDecodingError.malformed) { _ = try Batch(serialized: empties) }
    }

    @Test func truncatedMessagesAreErrorsOrValues() throws {
        let bytes = try Self.batch.serialized()
        for length in 0..<bytes.readableBytes {
            _ = try? Batch(serialized: bytes.getSlice(at: 0, length: length) ?? ByteBuffer())
        }
    }

    @Test func mutatedMessagesNeverTrapAndValuesComeBack() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(seed: seed)
        let original = Array(try Self.batch.serialized().readableBytesView)
        for _ in 0..<50_000 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: .min ... .max, using: &random)
            }
            guard let value = try? Batch(serialized: ByteBuffer(bytes: bytes)) else { continue }
            #expect(try Batch(serialized: value.serialized()) == value, "seed \(seed)")
        }
    }
}
