/// Bounds of `Inference` calls.
public enum InferLimits {
    /// Largest body of a request and largest body of an answer, in bytes.
    public static let maximumContentBytes = 64 << 20
    /// The same for `InferUnary`: 1 MiB less what the envelope may take.
    public static let maximumUnaryContentBytes = (1 << 20) - (4 << 10)
}
