/// Checks the ids with which a client opens streams.
///
/// The protocol asks for odd ids that rise strictly (G2-04). Clients that take ids from a counter and write later send
/// them slightly out of order, so a tolerant window also accepts an id up to 1,024 behind the highest if it has not
/// been used (G5-14).
struct StreamIDWindow: Sendable {
    enum Verdict: Hashable {
        case fresh
        /// Even, zero, or 2^31 and above.
        case invalid
        /// Used before, or so old that it may have been.
        case reused
    }

    static let reach: UInt32 = 1_024
    private static let wordBits: UInt32 = 64
    private static let words = Int(Self.reach / 2 / Self.wordBits)

    private let isStrict: Bool
    /// The highest id that was used; nil: none.
    private(set) var highest: UInt32?
    /// Which of the ids up to `reach` behind the highest were used. An id's place comes again after as many.
    private var used = [UInt64](repeating: 0, count: Self.words)

    init(isStrict: Bool) {
        self.isStrict = isStrict
    }

    /// Takes an id; one that is fresh is used from now on.
    mutating func use(_ streamID: UInt32) -> Verdict {
        guard streamID % 2 == 1, streamID < 1 << 31 else { return .invalid }
        guard let highest = self.highest, streamID <= highest else {
            self.advance(to: streamID)
            return .fresh
        }
        let distance = (highest - streamID) / 2
        guard !self.isStrict, distance < Self.reach / 2 else { return .reused }
        let (word, bit) = Self.position(of: streamID)
        guard self.used[word] & bit == 0 else { return .reused }
        self.used[word] |= bit
        return .fresh
    }

    private static func position(of streamID: UInt32) -> (word: Int, bit: UInt64) {
        let index = streamID / 2 % (Self.reach / 2)
        return (Int(index / self.wordBits), 1 << UInt64(index % self.wordBits))
    }

    private mutating func advance(to streamID: UInt32) {
        if let highest = self.highest {
            // Ids that are passed over were not used; those that stood at their places are out of reach now.
            var passed = max(highest, streamID &- min(streamID, Self.reach)) | 1
            while passed < streamID {
                passed += 2
                let (word, bit) = Self.position(of: passed)
                self.used[word] &= ~bit
            }
        }
        self.highest = streamID
        let (word, bit) = Self.position(of: streamID)
        self.used[word] |= bit
    }
}
