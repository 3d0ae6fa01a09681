/// What a request is treated as (A10-06). Of the names that clients may send only `flex` changes anything.
public enum ServiceTier: String, Sendable {
    /// Goes first.
    case `default`
    /// Goes behind those, and before batches.
    case flex
}
