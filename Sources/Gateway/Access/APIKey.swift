/// Makes API keys.
public enum APIKey {
    /// What every key begins with, so that one that leaked is recognised.
    public static let prefix = "sk-bf-"
    /// Longest key that is looked at, in bytes.
    static let maximumBytes = 256
    /// 62 letters and digits: 43 of them are 256 bits.
    private static let alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
    private static let length = 43

    /// A new key, from the system's random numbers.
    public static func generate() -> String {
        var generator = SystemRandomNumberGenerator()
        let characters = (0..<Self.length).map { _ in
            Self.alphabet[Int.random(in: 0..<Self.alphabet.count, using: &generator)]
        }
        return Self.prefix + String(characters)
    }
}
