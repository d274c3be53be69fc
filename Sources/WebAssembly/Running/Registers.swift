/// The frame of the running function, slot by slot, for the instructions that the loop in C leaves to the instance.
///
/// Unchecked: validation has proved that the slots in the compiled code lie within the frame, and a call has
/// checked that the frame lies within the value stack.
struct Registers {
    var base: UnsafeMutablePointer<UInt64>

    func u32(_ slot: UInt16) -> UInt32 { UInt32(truncatingIfNeeded: base[Int(slot)]) }

    func set(_ slot: UInt16, _ value: UInt32) { base[Int(slot)] = UInt64(value) }
}
