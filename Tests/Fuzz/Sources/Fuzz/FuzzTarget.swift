import NIOCore

/// What is fuzzed. The first byte of an input says which, so that one run has all of them; the rest is what a peer sent.
private let targets: [(name: UInt8, body: @Sendable (ByteBuffer) -> Void)] = [
    (UInt8(ascii: "F"), fuzzFrames),
    (UInt8(ascii: "Q"), fuzzRequestEnvelope),
    (UInt8(ascii: "R"), fuzzResponseEnvelope),
    (UInt8(ascii: "M"), fuzzMessage),
    (UInt8(ascii: "C"), fuzzServerConnection),
    (UInt8(ascii: "H"), fuzzAnswer),
]

/// libFuzzer calls it with one input after the other.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = ByteBuffer(bytes: UnsafeBufferPointer(start: start, count: count))
    guard let name = input.readInteger(as: UInt8.self) else { return 0 }
    let target = targets.first { $0.name == name } ?? targets[Int(name) % targets.count]
    target.body(input)
    return 0
}

/// Ends the process when something that always holds does not, so that libFuzzer keeps the input.
func check(_ holds: Bool, _ what: @autoclosure () -> String) {
    guard holds else { fatalError(what()) }
}

/// The value of an expression that must not throw.
func mustNotThrow<Value>(_ what: String, _ body: () throws -> Value) -> Value {
    do {
        return try body()
    } catch {
        fatalError("\(what): \(error)")
    }
}
