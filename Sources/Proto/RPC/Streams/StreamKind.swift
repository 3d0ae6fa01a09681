import ProtoFraming

/// The four kinds of calls (G4).
@usableFromInline
enum StreamKind: Sendable, Hashable, CaseIterable {
    case unary
    case clientStream
    case serverStream
    case bidirectional

    /// Whether the client sends messages behind its request.
    var clientSendsData: Bool {
        self == .clientStream || self == .bidirectional
    }

    /// Whether the server answers with data frames rather than with the response's payload.
    var serverSendsData: Bool {
        self == .serverStream || self == .bidirectional
    }

    /// Flags of the request that opens a stream. One that data follows holds no message itself and says so: without
    /// the second flag a Rust server sees an empty first message (G5-12), and Go ignores it.
    var openingFlags: FrameFlags {
        switch self {
        case .unary: []
        case .serverStream: .remoteClosed
        case .clientStream, .bidirectional: [.remoteOpen, .noData]
        }
    }
}

extension FrameFlags {
    /// Ends a half of a stream: an empty data frame that carries no message (G4-01).
    static let endOfData: FrameFlags = [.remoteClosed, .noData]
}
