/// Facts about the protocol.
public enum RPCProtocol {
    /// Its name in ALPN, which is offered and not needed (G6-10).
    public static let alpn = "ttrpc/1.2"
}
