import NIOCore
import ProtoFraming
import ProtoMessages

@testable import ProtoRPC

private let limits = EnvelopeLimits(maximumMetadataPairs: 64, maximumMetadataBytes: 16 << 10, maximumNameBytes: 256)

/// What the reader of requests takes, the generated code takes too and understands the same; limits hold; encoded again
/// it is the same request.
func fuzzRequestEnvelope(_ input: ByteBuffer) {
    guard let envelope = try? RequestEnvelope(reading: input, limits: limits) else { return }
    let reference = mustNotThrow("the generated code") { try Envelope.Request(serialized: input) }
    check(
        envelope.service == reference.service && envelope.method == reference.method
            && envelope.payload == reference.payload && envelope.timeoutNanoseconds == reference.timeoutNano
            && envelope.metadata == RPCMetadata(reference.metadata.map { ($0.key, $0.value) }),
        "read by hand \(envelope), generated \(reference)"
    )
    let pairs = reference.metadata
    check(pairs.count <= limits.maximumMetadataPairs, "\(pairs.count) pairs of metadata")
    let nameBytes = envelope.service.utf8.count + envelope.method.utf8.count
    check(nameBytes <= limits.maximumNameBytes, "\(nameBytes) bytes of names")
    let metadataBytes = pairs.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
    check(metadataBytes <= limits.maximumMetadataBytes, "\(metadataBytes) bytes of metadata")

    let encoded = mustNotThrow("encoding") { try reference.serialized() }
    let again = mustNotThrow("reading again") { try RequestEnvelope(reading: encoded, limits: limits) }
    check(again == envelope, "encoded again \(again), before \(envelope)")
    checkEncoder(envelope, pairs)
}

/// The encoder of requests writes what the reader understands, around any message; this one is a message itself.
private func checkEncoder(_ envelope: RequestEnvelope, _ metadata: [Envelope.KeyValue]) {
    let head = FrameEncoding.Head(
        service: envelope.service,
        method: envelope.method,
        timeoutNanoseconds: envelope.timeoutNanoseconds,
        metadata: metadata
    )
    let message = Envelope.AnyMessage(typeURL: envelope.method, value: envelope.payload)
    let data = mustNotThrow("the encoder") {
        try FrameEncoding.request(head, message, maximumDataBytes: FrameLimits().maximumDataBytes)
    }
    let read = mustNotThrow("what the encoder wrote") { try RequestEnvelope(reading: data, limits: limits) }
    let payload = mustNotThrow("its payload") { try message.serialized() }
    check(read.payload == payload, "wrote \(payload), read \(read.payload)")
    check(
        read.service == envelope.service && read.method == envelope.method
            && read.timeoutNanoseconds == envelope.timeoutNanoseconds && read.metadata == envelope.metadata,
        "wrote \(envelope), read \(read)"
    )
}

/// A response is a payload or an error that never says success, and the generated code agrees which.
func fuzzResponseEnvelope(_ input: ByteBuffer) {
    let outcome = ResponseEnvelope.outcome(reading: input)
    let reference = try? Envelope.Response(serialized: input)
    switch outcome {
    case .success(let payload):
        check(reference?.payload == payload, "payload \(payload), generated \(String(describing: reference))")
        check(reference?.status?.code ?? 0 == 0, "success with status \(String(describing: reference?.status))")
    case .failure(let error):
        check(error.code != .ok, "a failure that says success")
        let encoded = FrameEncoding.failure(error, maximumDataBytes: FrameLimits().maximumDataBytes)
        guard case .failure(let again) = ResponseEnvelope.outcome(reading: encoded) else {
            fatalError("\(error) was encoded as success")
        }
        check(again == error, "encoded again \(again), before \(error)")
    }
}
