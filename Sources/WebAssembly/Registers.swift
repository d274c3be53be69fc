/// The frame of the running function, slot by slot.
///
/// Unchecked: validation has proved that the slots in the compiled code lie within the frame, and a call has
/// checked that the frame lies within the value stack.
struct Registers {
    var base: UnsafeMutablePointer<UInt64>

    @inline(__always)
    subscript(slot: UInt16) -> UInt64 {
        get { base[Int(slot)] }
        nonmutating set { base[Int(slot)] = newValue }
    }

    @inline(__always) func u32(_ slot: UInt16) -> UInt32 { UInt32(truncatingIfNeeded: self[slot]) }
    @inline(__always) func s32(_ slot: UInt16) -> Int32 { Int32(truncatingIfNeeded: self[slot]) }
    @inline(__always) func s64(_ slot: UInt16) -> Int64 { Int64(bitPattern: self[slot]) }
    @inline(__always) func f32(_ slot: UInt16) -> Float { Float(bitPattern: u32(slot)) }
    @inline(__always) func f64(_ slot: UInt16) -> Double { Double(bitPattern: self[slot]) }

    @inline(__always) func set(_ slot: UInt16, _ value: UInt32) { self[slot] = UInt64(value) }
    @inline(__always) func set(_ slot: UInt16, _ value: Int32) { self[slot] = UInt64(UInt32(bitPattern: value)) }
    @inline(__always) func set(_ slot: UInt16, _ value: UInt64) { self[slot] = value }
    @inline(__always) func set(_ slot: UInt16, _ value: Int64) { self[slot] = UInt64(bitPattern: value) }
    @inline(__always) func set(_ slot: UInt16, _ value: Bool) { self[slot] = value ? 1 : 0 }
    /// Results of float arithmetic: NaNs become canonical.
    @inline(__always) func set(_ slot: UInt16, _ value: Float) { self[slot] = UInt64(value.canonicalBits) }
    @inline(__always) func set(_ slot: UInt16, _ value: Double) { self[slot] = value.canonicalBits }
}

/// The linear memory as the interpreter's loop holds it.
struct MemoryView {
    var base: UnsafeMutableRawPointer
    var count: UInt64

    /// Where `width` bytes at `index + offset` are, if they are all in bounds. The sum can't wrap: both are below 2^32.
    @inline(__always)
    private func locate(_ index: UInt32, _ offset: UInt32, _ width: Int) -> UnsafeMutableRawPointer? {
        let address = UInt64(index) &+ UInt64(offset)
        guard address &+ UInt64(width) <= count else { return nil }
        return base + Int(address)
    }

    @inline(__always)
    func load<T: FixedWidthInteger & BitwiseCopyable>(_ index: UInt32, _ offset: UInt32, as type: T.Type) -> T? {
        guard let pointer = locate(index, offset, MemoryLayout<T>.size) else { return nil }
        return T(littleEndian: pointer.loadUnaligned(as: T.self))
    }

    @inline(__always)
    func store<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, _ index: UInt32, _ offset: UInt32) -> Bool {
        guard let pointer = locate(index, offset, MemoryLayout<T>.size) else { return false }
        pointer.storeBytes(of: value.littleEndian, as: T.self)
        return true
    }
}
