extension UnsafeRawBufferPointer {
    /// The integer at `offset`; the caller has checked that it lies inside.
    package func littleEndian<Value: FixedWidthInteger>(at offset: Int, as _: Value.Type) -> Value {
        Value(littleEndian: self.loadUnaligned(fromByteOffset: offset, as: Value.self))
    }
}

extension Array<UInt8> {
    /// Appends an integer, lowest byte first.
    package mutating func appendLittleEndian(_ value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.littleEndian) { self.append(contentsOf: $0) }
    }
}
