import TestSupport
import Testing

@testable import Checksum

struct CRC32CTests {
    private func checksum(_ bytes: [UInt8]) -> UInt32 { bytes.withUnsafeBytes(CRC32C.checksum) }

    @Test func knownVectorsOfRFC3720() {
        #expect(self.checksum(Array("123456789".utf8)) == 0xE306_9283)
        #expect(self.checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
        #expect(self.checksum([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
        #expect(self.checksum([]) == 0)
    }

    @Test("the tables and the processor's instruction give the same", arguments: 0..<200 as Range<UInt64>)
    func tablesAndInstructionAgree(seed: UInt64) {
        var numbers = SeededGenerator(seed: seed)
        let bytes = (0..<Int.random(in: 0...300, using: &numbers)).map { _ in UInt8.random(in: 0...255, using: &numbers)
        }
        let byTables = bytes.withUnsafeBytes { ~CRC32C.updated(.max, $0) }
        #expect(byTables == self.checksum(bytes), "seed \(seed)")
    }

    @Test func piecesGiveTheSameAsTheWhole() {
        let bytes = (0..<100).map { UInt8($0 * 7 % 251) }
        for split in 0...bytes.count {
            var checksum = CRC32C()
            bytes[..<split].withUnsafeBytes { checksum.update($0) }
            bytes[split...].withUnsafeBytes { checksum.update($0) }
            #expect(checksum.value == self.checksum(bytes))
        }
    }
}
