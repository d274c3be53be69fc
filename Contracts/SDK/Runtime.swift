// What Embedded Swift expects from a C library, as far as contracts use it; the linker drops what
// one does not. Nothing here depends on anything but its arguments.

// MARK: - Memory blocks

// `copyMemory` and `initializeMemory` compile to the bulk memory instructions, not to calls of the
// functions that they implement here.

@_cdecl("memmove")
func runtimeMove(
    _ destination: UnsafeMutableRawPointer, _ source: UnsafeRawPointer, _ count: Int
) -> UnsafeMutableRawPointer {
    destination.copyMemory(from: source, byteCount: count)
    return destination
}

@_cdecl("memcpy")
func runtimeCopy(
    _ destination: UnsafeMutableRawPointer, _ source: UnsafeRawPointer, _ count: Int
) -> UnsafeMutableRawPointer {
    destination.copyMemory(from: source, byteCount: count)
    return destination
}

@_cdecl("memset")
func runtimeFill(_ destination: UnsafeMutableRawPointer, _ byte: Int32, _ count: Int) -> UnsafeMutableRawPointer {
    destination.initializeMemory(as: UInt8.self, repeating: UInt8(truncatingIfNeeded: byte), count: count)
    return destination
}

@_cdecl("memcmp")
func runtimeCompare(_ left: UnsafeRawPointer, _ right: UnsafeRawPointer, _ count: Int) -> Int32 {
    var index = 0
    while index < count {
        let l = left.load(fromByteOffset: index, as: UInt8.self)
        let r = right.load(fromByteOffset: index, as: UInt8.self)
        if l != r { return l < r ? -1 : 1 }
        index &+= 1
    }
    return 0
}

/// `Hasher` takes its seed from here. It is constant on purpose: a random one would give every node
/// another order of the same dictionary.
@_cdecl("arc4random_buf")
func runtimeRandom(_ destination: UnsafeMutableRawPointer, _ count: Int) {
    destination.initializeMemory(as: UInt8.self, repeating: 0xED, count: count)
}

// MARK: - Heap

@_extern(c, "llvm.wasm.memory.grow.i32")
func growMemory(_ memory: Int32, _ pages: Int32) -> Int32

@_extern(c, "llvm.wasm.memory.size.i32")
func memorySize(_ memory: Int32) -> Int32

/// The linker's: its address is the end of the program's data.
@_silgen_name("__heap_base") nonisolated(unsafe) private var heapBase: UInt8

private let pageSize = 65_536

/// Memory that lasts until the call ends. A call is short and its instance is thrown away, so most
/// of the SDK takes memory here and never gives it back.
enum Arena {
    nonisolated(unsafe) private static var next = 0
    /// 0 before the first use.
    nonisolated(unsafe) private static var end = 0

    /// `count` fresh bytes, 16-byte aligned, after `headerSize` bytes more.
    @inline(never)
    static func take(_ count: Int, headerSize: Int = 0) -> UnsafeMutableRawPointer {
        let start = (next &+ headerSize &+ 15) & ~15
        // Addresses may have the top bit set; as unsigned numbers these sums do not overflow.
        guard count >= 0, UInt(bitPattern: start) &+ UInt(bitPattern: count) <= UInt(bitPattern: end)
        else { return grow(count, headerSize: headerSize) }
        next = start &+ count
        // Never nil: the heap lies behind the program's data.
        return UnsafeMutableRawPointer(bitPattern: start).unsafelyUnwrapped
    }

    /// Gives back the end of the block that was taken last.
    static func giveBack(_ count: Int) { next &-= count }

    private static func grow(_ count: Int, headerSize: Int) -> UnsafeMutableRawPointer {
        guard count >= 0, count < 1 << 24 else { outOfMemory() }
        if end == 0 {
            // What the program's data leaves of its last page comes first.
            next = withUnsafePointer(to: &heapBase) { Int(bitPattern: $0) }
            end = Int(memorySize(0)) &* pageSize
        } else {
            let pages = (count &+ headerSize &+ 15 &+ pageSize) / pageSize
            guard growMemory(0, Int32(truncatingIfNeeded: pages)) > 0 else { outOfMemory() }
            end &+= pages &* pageSize
        }
        return take(count, headerSize: headerSize)
    }

    /// Not by ``Chain/fail(_:)``, whose text would need memory.
    private static func outOfMemory() -> Never {
        let message: StaticString = "out of memory"
        host_fail(message.utf8Start, Int32(truncatingIfNeeded: message.utf8CodeUnitCount))
        fatalError()
    }
}

/// Free lists of the blocks that Swift's own types (arrays, classes, closures) allocate: blocks are
/// 2^k - 16 bytes long, with k in a header before each.
private enum FreeLists {
    private static let headerSize = 16
    private static let smallest = 5
    private static let largest = 22
    /// Heads by k; 0 is the end of a list.
    nonisolated(unsafe) private static var heads = [23 of Int](repeating: 0)

    static func allocate(_ size: Int) -> UnsafeMutableRawPointer? {
        guard size >= 0, size <= 1 << largest &- headerSize else { return nil }
        var k = smallest
        while 1 << k &- headerSize < size { k &+= 1 }
        if let block = UnsafeMutableRawPointer(bitPattern: heads[k]) {
            heads[k] = block.load(as: Int.self)
            return block
        }
        let block = Arena.take(1 << k &- headerSize, headerSize: headerSize)
        (block - headerSize).storeBytes(of: k, as: Int.self)
        return block
    }

    static func free(_ block: UnsafeMutableRawPointer) {
        let k = (block - headerSize).load(as: Int.self)
        block.storeBytes(of: heads[k], as: Int.self)
        heads[k] = Int(bitPattern: block)
    }
}

@_cdecl("posix_memalign")
func runtimeAllocate(
    _ result: UnsafeMutablePointer<UnsafeMutableRawPointer?>, _ alignment: Int, _ size: Int
) -> Int32 {
    // 16 is the most that any Swift type asks for here.
    result.pointee = alignment <= 16 ? FreeLists.allocate(size) : nil
    return result.pointee == nil ? 12 : 0  // ENOMEM
}

/// The linker binds `free` to this name (`--wrap=free`): the compiler reserves `free` itself.
@_cdecl("__wrap_free")
func runtimeFree(_ block: UnsafeMutableRawPointer?) {
    if let block { FreeLists.free(block) }
}
