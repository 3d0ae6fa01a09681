import Checksum
import Testing

struct CRC32CTests {
    private func checksum(_ bytes: [UInt8]) -> UInt32 { bytes.withUnsafeBytes(CRC32C.checksum) }

    @Test func knownVectorsOfRFC3720() {
        #expect(self.checksum(Array("123456789".utf8)) == 0xE306_9283)
        #expect(self.checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
        #expect(self.checksum([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
        #expect(self.checksum([]) == 0)
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
