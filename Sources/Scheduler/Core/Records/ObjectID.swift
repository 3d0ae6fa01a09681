import Synchronization

/// Makes and reads the ids of stored objects.
///
/// An id is a prefix and 32 hexadecimal digits: 12 of Unix milliseconds, 4 of a counter within the process, 16 random
/// ones. Ids of one kind therefore sort by creation, so that a list pages by id alone and a page's end stays a valid
/// position after its object is deleted (A6-02, A6-04).
public enum ObjectID {
    /// The kinds of object with an id of their own.
    public enum Kind: String, Sendable, CaseIterable {
        case file = "file-"
        case batch = "batch_"
        case upload = "upload_"
        case part = "part_"
    }

    private static let counter = Atomic<UInt16>(0)
    private static let digits = Array("0123456789abcdef".utf8)

    /// A new id.
    /// - Parameters:
    ///   - kind: what the id is for.
    ///   - unixMilliseconds: the creation time.
    ///   - random: 64 random bits.
    public static func make(_ kind: Kind, unixMilliseconds: Int64, random: UInt64) -> String {
        let sequence = self.counter.wrappingAdd(1, ordering: .relaxed).newValue
        return self.make(kind, unixMilliseconds: unixMilliseconds, sequence: sequence, random: random)
    }

    /// The id of a given place in the order of ids.
    public static func make(_ kind: Kind, unixMilliseconds: Int64, sequence: UInt16, random: UInt64) -> String {
        let time = UInt64(clamping: unixMilliseconds) & 0xFFFF_FFFF_FFFF
        return kind.rawValue + self.hex(time << 16 | UInt64(sequence)) + self.hex(random)
    }

    /// Whether `id` has the form of an id of this kind. Ids reach file names, so nothing else may pass as one.
    public static func isWellFormed(_ id: String, _ kind: Kind) -> Bool {
        let bytes = id.utf8
        guard bytes.count == kind.rawValue.utf8.count + 32, id.hasPrefix(kind.rawValue) else { return false }
        return bytes.dropFirst(kind.rawValue.utf8.count).allSatisfy { self.digits.contains($0) }
    }

    /// When an object was made, in Unix milliseconds; nil for what is not an id.
    public static func unixMilliseconds(of id: String) -> Int64? {
        guard Kind.allCases.contains(where: { self.isWellFormed(id, $0) }) else { return nil }
        return Int64(id.suffix(32).prefix(12), radix: 16)
    }

    /// The id of one line's request, the same at every attempt: the batch's digits and the line's number.
    public static func request(batchID: String, line: Int) -> String {
        let batch = batchID.utf8.dropFirst(Kind.batch.rawValue.utf8.count)
        return "batch_req_" + String(Substring(batch)) + self.hex(UInt64(UInt32(truncatingIfNeeded: line))).suffix(8)
    }

    /// Begins the counter anew, so that a simulated run is the same whatever ran before it.
    package static func restartSequence() {
        self.counter.store(0, ordering: .relaxed)
    }

    /// 16 lowercase hexadecimal digits.
    public static func hex(_ value: UInt64) -> String {
        String(unsafeUninitializedCapacity: 16) { target in
            for index in 0..<16 {
                target[index] = self.digits[Int(truncatingIfNeeded: value >> UInt64(60 - 4 * index) & 0xF)]
            }
            return 16
        }
    }
}
