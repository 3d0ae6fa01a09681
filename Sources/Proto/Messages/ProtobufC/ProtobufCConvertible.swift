import ProtoGenerated

/// What the generated code provides for each message: the way between the Swift value and protobuf-c's struct.
protocol ProtobufCConvertible: ProtoMessage {
    /// protobuf-c's struct; its first member is a `ProtobufCMessage`.
    associatedtype CMessage

    /// Sets the defaults and the descriptor.
    static func initialize(_ message: UnsafeMutablePointer<CMessage>)

    /// Copies the fields out of protobuf-c's struct.
    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError)

    /// Fills an initialised struct; what it points to lives in `arena`.
    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError)
}
