import NIOCore
import ProtoGenerated
import Testing

@testable import ProtoMessages

/// Fields of bytes stay where they arrived, within a bound.
struct BytesFieldTests {
    private static let body = ByteBuffer(repeating: 42, count: 1_024)

    /// The message within a buffer of so many bytes, as a read gives it.
    private func arrived(_ message: some ProtoMessage, in capacity: Int) throws -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: capacity)
        buffer.writeRepeatingByte(0, count: 100)
        buffer.moveReaderIndex(forwardBy: 100)
        try message.serialize(into: &buffer)
        return buffer
    }

    @Test func bytesShareTheStorageThatTheyArrivedIn() throws {
        let head = InferHead(model: "m", path: "/v1/embeddings")
        let message = InferUnaryRequest(head: head, body: Self.body)
        let buffer = try self.arrived(message, in: 64 << 10)
        let decoded = try InferUnaryRequest(serialized: buffer)
        #expect(decoded == message)
        #expect(decoded.body.storageCapacity == buffer.storageCapacity)
    }

    @Test func fewBytesDoNotKeepMany() throws {
        let message = InferUnaryRequest(body: ByteBuffer(string: "few"))
        let buffer = try self.arrived(message, in: 64 << 10)
        let decoded = try InferUnaryRequest(serialized: buffer)
        #expect(decoded == message)
        #expect(decoded.body.storageCapacity < 1_024)
    }

    @Test func ofSeveralFieldsWithTheSameNumberTheLastOneCounts() throws {
        var buffer = try InferUnaryRequest(body: Self.body).serialized()
        let last = ByteBuffer(repeating: 7, count: 1_024)
        try InferUnaryRequest(body: last).serialize(into: &buffer)
        #expect(try InferUnaryRequest(serialized: buffer).body == last)
    }

    @Test func bytesOfAMessageInsideOfAnotherAreItsOwn() throws {
        // The outer message has a field with the same number as the inner one's bytes.
        let chunk = InferChunk(sequence: 5, data: Self.body)
        let request = InferRequest(part: .chunk(chunk))
        #expect(try InferRequest(serialized: request.serialized()) == request)
    }

    @Test func bytesThatAreNotThoseOfTheOuterFieldAreCopied() throws {
        // Field 2 of what arrived; the bytes to lift are others, of the same length and of another one.
        let arrived = ByteBuffer(bytes: [0x12, 3] + Array("out".utf8))
        for text in ["ins", "inner"] {
            let other = Array(text.utf8)
            arrived.withUnsafeReadableBytes { outer in
                other.withUnsafeBufferPointer { inner in
                    let data = ProtobufCBinaryData(
                        len: inner.count,
                        data: UnsafeMutablePointer(mutating: inner.baseAddress)
                    )
                    let lift = ProtoLift(of: outer, in: arrived)
                    #expect(String(buffer: lift.inner.bytes(data, field: 2)) == text, "of a message inside")
                    #expect(String(buffer: lift.bytes(data, field: nil)) == text, "of a field that holds several")
                    if text == "inner" { #expect(String(buffer: lift.bytes(data, field: 2)) == text) }
                }
            }
        }
    }

    @Test func theScanFindsAFieldBehindAnyOther() {
        func last(_ bytes: [UInt8]) -> Range<Int>? { bytes.withUnsafeBytes { FieldScan.last(2, in: $0) } }
        let field: [UInt8] = [0x12, 1, 9]
        let largest = [UInt8](repeating: 0xff, count: 9) + [1]
        for other in [
            [0x08, 1], [0x08] + largest, [0x09, 1, 2, 3, 4, 5, 6, 7, 8], [0x0a, 2, 1, 2], [0x0d, 1, 2, 3, 4],
        ] {
            #expect(last(other + field) == (other.count + 2)..<(other.count + 3))
        }
    }

    @Test func theScanRefusesWhatIsNoMessage() {
        func last(_ bytes: [UInt8]) -> Range<Int>? { bytes.withUnsafeBytes { FieldScan.last(2, in: $0) } }
        #expect(last([0x12, 1, 9]) == 2..<3)
        #expect(last([0x08, 1, 0x12, 1, 9, 0x12, 0]) == 7..<7)
        #expect(last([0x0d, 1, 2, 3, 4, 0x12, 1, 9]) == 7..<8)
        #expect(last([0x12, 2, 9]) == nil)
        #expect(last([0x12]) == nil)
        #expect(last([0x13, 0]) == nil)
        #expect(last([0x12, 1, 9, 0xff]) == nil)
        #expect(last([0x12, 1, 9, 0x08, 0x80]) == nil)
        #expect(last([0x12] + [UInt8](repeating: 0x80, count: 10) + [0]) == nil, "a length of more than 64 bits")
        #expect(last([0x12] + [UInt8](repeating: 0xff, count: 12)) == nil)
    }

    @Test func aMessageIsEncodedWhileAnotherIs() throws {
        var inner: ByteBuffer?
        var outer = ByteBuffer()
        try InferUnaryRequest(body: Self.body).encode { encoding in
            inner = try? GetFileRequest(fileID: "file-1").serialized()
            outer.writeWithUnsafeMutableBytes(minimumWritableBytes: encoding.byteCount) { target in
                encoding.write(to: target)
                return encoding.byteCount
            }
        }
        #expect(try InferUnaryRequest(serialized: outer).body == Self.body)
        #expect(try GetFileRequest(serialized: try #require(inner)).fileID == "file-1")
    }
}
