import NIOCore
import NIOEmbedded
import ProtoTLS
import TestSupport
import Testing

/// That what is received is what was sent, however the bytes are cut.
struct ContentTests {
    let contexts: TestContexts

    init() throws {
        self.contexts = try TestContexts()
    }

    private func makePair() throws -> TestPair {
        try TestPair(client: self.contexts.client("gateway"), server: self.contexts.server(mutual: true))
    }

    @Test("T-26 a connection whose bytes come one at a time is the same connection")
    func oneByteAtATime() throws {
        let pair = try self.makePair()
        try pair.connect(step: 1)
        let message = (0..<20_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        pair.client.send(message)
        pair.server.send(message.reversed())
        try pair.carry(step: 1)
        #expect(pair.server.recorder.received == message)
        #expect(pair.client.recorder.received == message.reversed())
        let closed = pair.client.channel.close()
        try pair.carry(step: 1)
        try closed.now()
        #expect(pair.client.recorder.errors.isEmpty && pair.server.recorder.errors.isEmpty)
    }

    @Test("T-26 two records may be split at every point")
    func everySplit() throws {
        let pair = try self.makePair()
        try pair.connect()
        var expected: [UInt8] = []
        var splits = 0
        var count = 1
        while splits < count {
            pair.client.send([1, 2, 3])
            pair.client.send([4, 5, 6, 7])
            expected += [1, 2, 3, 4, 5, 6, 7]
            let records = try pair.client.takeRecords()
            count = records.count
            try pair.server.receive(Array(records[..<splits]))
            try pair.server.receive(Array(records[splits...]))
            #expect(pair.server.recorder.received == expected, "split at \(splits)")
            splits += 1
        }
        #expect(count > 40)
    }

    @Test("T-26 random writes, cuts and half-closures lose and add nothing", arguments: UInt64(1)...24)
    func random(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let pair = try self.makePair()
        pair.client.channel.allowRemoteHalfClosure = true
        pair.server.channel.allowRemoteHalfClosure = true
        var directions = [
            Direction(from: pair.client, to: pair.server), Direction(from: pair.server, to: pair.client),
        ]
        try pair.server.activate()
        try pair.client.activate()
        // Some writes happen before the handshake is complete.
        for _ in 0..<120 {
            let index = Int.random(in: 0...1, using: &generator)
            switch Int.random(in: 0...9, using: &generator) {
            case 0...3: directions[index].write(&generator)
            case 4: directions[index].from.channel.flush()
            default: try directions[index].carry(&generator)
            }
        }
        for index in [0, 1].shuffled(using: &generator) { try directions[index].end(&generator) }
        while try directions[0].carryAll(&generator) || directions[1].carryAll(&generator) {}
        for direction in directions {
            // Compared first: a report of both would be megabytes.
            let isSame = direction.to.recorder.received == direction.written
            #expect(isSame, "seed \(seed)")
            #expect(direction.to.recorder.errors.isEmpty, "seed \(seed)")
            #expect(!direction.to.channel.isActive, "seed \(seed)")
            for promise in direction.promises { try promise.now() }
        }
    }

    /// One direction of the random test, with a wire of its own.
    private struct Direction {
        let from: Side
        let to: Side
        var written: [UInt8] = []
        var promises: [EventLoopFuture<Void>] = []
        var wire: [UInt8] = []

        init(from: Side, to: Side) {
            self.from = from
            self.to = to
        }

        mutating func write(_ generator: inout SeededGenerator) {
            let sizes = [0, 1, 10, 100, 5_000, 16_383, 16_384, 16_385, 40_000, 70_000, 150_000]
            let size = sizes[Int.random(in: 0..<sizes.count, using: &generator)]
            // Each write has bytes of its own; a number for each byte is slow without optimisation.
            let bytes = [UInt8](repeating: UInt8.random(in: 0...255, using: &generator), count: size)
            self.written += bytes
            self.promises.append(self.from.channel.write(ByteBuffer(bytes: bytes)))
        }

        /// Moves some of what is on the wire.
        mutating func carry(_ generator: inout SeededGenerator) throws {
            self.wire += try self.from.takeRecords()
            let count = min(self.wire.count, Int.random(in: 1...50_000, using: &generator))
            let piece = Array(self.wire.prefix(count))
            self.wire.removeFirst(count)
            try self.to.receive(piece)
        }

        /// Moves all; false when there was nothing.
        mutating func carryAll(_ generator: inout SeededGenerator) throws -> Bool {
            self.wire += try self.from.takeRecords()
            guard !self.wire.isEmpty else { return false }
            try self.carry(&generator)
            return true
        }

        mutating func end(_ generator: inout SeededGenerator) throws {
            self.promises.append(self.from.channel.close(mode: .output))
            try self.carry(&generator)
        }
    }

    @Test("H1 many small writes before one flush are one record")
    func gathered() throws {
        let pair = try self.makePair()
        try pair.connect()
        var promises: [EventLoopFuture<Void>] = []
        for number in 0..<100 {
            promises.append(pair.client.channel.write(ByteBuffer(bytes: [UInt8](repeating: UInt8(number), count: 100))))
        }
        #expect(try pair.client.takeRecords().isEmpty)
        pair.client.channel.flush()
        let records = try pair.client.takeRecords()
        #expect(records.count < 10_000 + 64)
        try pair.server.receive(records)
        #expect(pair.server.recorder.received.count == 10_000)
        for promise in promises { try promise.now() }
    }

    @Test("H1 an empty write ends with its flush")
    func emptyWrite() throws {
        let pair = try self.makePair()
        try pair.connect()
        try pair.client.send([]).now()
        #expect(try pair.client.takeRecords().isEmpty)
    }
}
