import NIOCore
import ProtoFraming
import Testing

@Suite struct FrameDecoderTests {
    private let first = Frame(streamID: 1, type: .request, data: ByteBuffer(string: "first frame's data"))
    private let second = Frame(streamID: 3, type: .data, flags: .remoteClosed, data: ByteBuffer(string: "second"))

    @Test func aFrameCutAtEveryByteIsTheSameFrame() throws {
        var decoder = FrameDecoder()
        var events: [FrameDecoder.Event] = []
        for byte in encoded(self.first, self.second).readableBytesView {
            events += try decoder.events(after: ByteBuffer(bytes: [byte]))
        }
        #expect(events == [.frame(self.first), .frame(self.second)])
    }

    @Test func twoFramesCutAtEveryPointAreTheSameFrames() throws {
        let all = encoded(self.first, self.second)
        for point in 0...all.readableBytes {
            var decoder = FrameDecoder()
            var rest = all
            let head = rest.cut(point)
            let events = try decoder.events(after: head) + decoder.events(after: rest)
            #expect(events == [.frame(self.first), .frame(self.second)], "cut at \(point)")
        }
    }

    @Test(
        "G7 any two kinds of frames cut at every point are the same frames",
        arguments: FrameGoldenTests.goldens.indices
    )
    func kindsCutAtEveryPoint(_ index: Int) throws {
        let first = FrameGoldenTests.goldens[index].frame
        for second in FrameGoldenTests.goldens.map(\.frame) {
            let all = encoded(first, second)
            for point in 0...all.readableBytes {
                var decoder = FrameDecoder()
                var rest = all
                let head = rest.cut(point)
                let events = try decoder.events(after: head) + decoder.events(after: rest)
                #expect(events == [.frame(first), .frame(second)], "cut at \(point)")
            }
        }
    }

    @Test func framesHandedOutKeepTheirBytesWhenMoreArrive() throws {
        var decoder = FrameDecoder()
        var rest = encoded(self.first, self.second)
        let head = rest.cut(FrameHeader.size + self.first.data.readableBytes + 4)
        let kept = try decoder.events(after: head)
        _ = try decoder.events(after: rest)
        #expect(kept == [.frame(self.first)])
    }

    @Test("G2-02 data of exactly the limit is a frame, one byte more is not")
    func limit() throws {
        let limits = FrameLimits(maximumDataBytes: 8, maximumDiscardedBytes: 64)
        var decoder = FrameDecoder(limits: limits)
        let largest = Frame(streamID: 1, type: .request, data: ByteBuffer(repeating: 1, count: 8))
        let (header, tooLong) = oversized(9, streamID: 3)
        #expect(try decoder.events(after: encoded(largest)) == [.frame(largest)])
        #expect(try decoder.events(after: tooLong) == [.oversized(header)])
    }

    @Test("G2-02 the default limit is 4 MiB")
    func defaultLimit() throws {
        var decoder = FrameDecoder()
        let length: UInt32 = 4 << 20
        var headerOnly = ByteBuffer()
        FrameHeader(length: length, streamID: 1, type: .request).write(into: &headerOnly)
        #expect(try decoder.events(after: headerOnly) == [])
        #expect(try decoder.events(after: ByteBuffer(repeating: 0, count: Int(length))).count == 1)
        let (header, tooLong) = oversized(length + 1)
        #expect(try decoder.events(after: tooLong) == [.oversized(header)])
    }

    @Test("G5-03 an oversized frame is reported at once, discarded as it comes, and the next frame is read")
    func discards() throws {
        var decoder = FrameDecoder(limits: FrameLimits(maximumDataBytes: 16, maximumDiscardedBytes: 1_000))
        let (header, tooLong) = oversized(1_000)
        var rest = tooLong
        let head = rest.cut(FrameHeader.size)
        #expect(try decoder.events(after: head) == [.oversized(header)])
        while rest.readableBytes > 0 {
            let piece = rest.cut(min(7, rest.readableBytes))
            #expect(try decoder.events(after: piece) == [])
            #expect(decoder.bufferedBytes == 0)
        }
        #expect(try decoder.events(after: encoded(self.second)) == [.frame(self.second)])
    }

    @Test("G5-03 a frame too long to skip ends the connection for good")
    func fatal() {
        var decoder = FrameDecoder()
        let header = FrameHeader(length: 64 << 20 + 1, streamID: 1, type: .request)
        var buffer = ByteBuffer()
        header.write(into: &buffer)
        decoder.append(buffer)
        #expect(throws: FrameError.tooLargeToDiscard(header)) { try decoder.next() }
        decoder.append(encoded(self.first))
        #expect(throws: FrameError.tooLargeToDiscard(header)) { try decoder.next() }
        #expect(decoder.bufferedBytes == 0)
    }

    @Test("G2-03 frames of unknown types are passed over", arguments: [UInt8(0), 4, 255])
    func unknownType(_ type: UInt8) throws {
        var decoder = FrameDecoder(limits: FrameLimits(maximumDataBytes: 32, maximumDiscardedBytes: 1_000))
        let short = Frame(streamID: 1, type: FrameType(rawValue: type), data: ByteBuffer(string: "passed over"))
        let (_, long) = oversized(500, type: FrameType(rawValue: type))
        #expect(try decoder.events(after: encoded(short)) == [])
        #expect(try decoder.events(after: long) == [])
        #expect(try decoder.events(after: encoded(self.second)) == [.frame(self.second)])
    }

    @Test("G6-11 it tells whether a frame's data is incomplete, also when it is thrown away", arguments: [18, 100])
    func insideData(length: UInt32) throws {
        var decoder = FrameDecoder(limits: FrameLimits(maximumDataBytes: 32, maximumDiscardedBytes: 1_000))
        var (_, rest) = oversized(length)
        #expect(!decoder.isInsideData)
        for count in [FrameHeader.size, 17] {
            _ = try decoder.events(after: rest.cut(count))
            #expect(decoder.isInsideData)
        }
        _ = try decoder.events(after: rest)
        #expect(!decoder.isInsideData)
        #expect(decoder.bytesReceived == UInt64(FrameHeader.size) + UInt64(length))
    }

    @Test("G6-11 it tells whether a header is incomplete")
    func insideHeader() throws {
        var decoder = FrameDecoder()
        #expect(!decoder.isInsideHeader)
        var rest = encoded(self.first)
        let part = rest.cut(FrameHeader.size - 1)
        _ = try decoder.events(after: part)
        #expect(decoder.isInsideHeader)
        #expect(decoder.headersRead == 0)
        let last = rest.cut(1)
        _ = try decoder.events(after: last)
        #expect(!decoder.isInsideHeader)
        #expect(decoder.headersRead == 1)
    }

    @Test("messages of one stream that came together are one run; what differs from them ends it")
    func runs() throws {
        func message(_ text: String, streamID: UInt32 = 1, flags: FrameFlags = []) -> Frame {
            Frame(streamID: streamID, type: .data, flags: flags, data: ByteBuffer(string: text))
        }
        let ends = [
            message("other", streamID: 3), message("last", flags: .remoteClosed),
            Frame(streamID: 1, type: .response, data: ByteBuffer(string: "other")),
            message(String(repeating: "x", count: 17)),
        ]
        for end in ends {
            var decoder = FrameDecoder(limits: FrameLimits(maximumDataBytes: 16, maximumDiscardedBytes: 64))
            decoder.append(encoded(message("a"), message(""), message("c"), end))
            let found = decoder.run()
            let run = try #require(found)
            #expect(run.streamID == 1 && run.count == 3)
            var texts: [String] = []
            run.forEachMessage { texts.append(String(decoding: $0, as: UTF8.self)) }
            #expect(texts == ["a", "", "c"])
            // They stay until they are consumed, which may be one by one.
            let foundAgain = decoder.run()
            #expect(foundAgain == run)
            decoder.consume(run, messages: 2)
            let single = decoder.run()
            #expect(single == nil)
            #expect(try decoder.events(after: ByteBuffer()).first == .frame(message("c")))
            #expect(decoder.headersRead == 4)
        }
        // The last one has not come as a whole.
        var decoder = FrameDecoder()
        var wire = encoded(message("a"), message("b"), message("c"))
        decoder.append(wire.cut(30))
        let run = decoder.run()
        #expect(run?.count == 2)
    }
}
