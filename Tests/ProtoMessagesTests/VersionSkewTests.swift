import Foundation
import NIOCore
import ProtoMessages
import Testing

/// Messages of the last version and of a later one, as Google's protobuf package encodes them.
@Suite struct VersionSkewTests {
    private struct Golden {
        var name: String
        /// What a peer sends.
        var sent: ByteBuffer
        /// What is left of it after decoding and encoding.
        var kept: ByteBuffer
    }

    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("VersionSkew")

    private static func goldens() throws -> [Golden] {
        let text = try String(contentsOf: self.folder.appendingPathComponent("goldens.txt"), encoding: .utf8)
        return try text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
            let parts = line.split(separator: " ")
            try #require(parts.count == 3)
            return Golden(name: String(parts[0]), sent: Self.bytes(parts[1]), kept: Self.bytes(parts[2]))
        }
    }

    private static func bytes(_ hex: Substring) -> ByteBuffer {
        var rest = hex == "-" ? "" : hex
        var buffer = ByteBuffer()
        while !rest.isEmpty {
            buffer.writeInteger(UInt8(rest.prefix(2), radix: 16) ?? 0)
            rest = rest.dropFirst(2)
        }
        return buffer
    }

    @Test("messages of the last version keep every field, those of a later one all but the fields nobody knows here")
    func goldensAreRead() throws {
        let types = Dictionary(uniqueKeysWithValues: AllMessages.types.map { ($0.name, $0.type) })
        let goldens = try Self.goldens()
        #expect(goldens.count > types.count)
        for golden in goldens {
            let type = try #require(types[golden.name], "\(golden.name) is gone")
            let message = try type.init(serialized: golden.sent)
            #expect(try message.serialized() == golden.kept, "\(golden.name)")
        }
    }

    @Test("messages without the fields of this version have their defaults")
    func missingFields() throws {
        for (name, type) in AllMessages.types {
            #expect(try type.init(serialized: ByteBuffer()).serialized() == ByteBuffer(), "\(name)")
        }
    }
}
