/// Places of keys in the hash tables of this process.
///
/// Keys of 32 bytes and of the state are looked up a hundred times for each transaction, and the library's own hash takes
/// them word by word, thirty nanoseconds each time. Two products of 128 bits, folded, take three. As there, the place
/// depends on numbers that this process draws for itself: who makes keys can't know which of them would meet. Nothing but
/// tables in memory may depend on it.
package enum TableHash {
    /// From the library's own seed, so that what makes that one the same in each run does so here as well.
    private static let secrets: (UInt64, UInt64, UInt64, UInt64) = {
        func draw(_ number: Int) -> UInt64 {
            var hasher = Hasher()
            hasher.combine("edgeproof/table-hash")
            hasher.combine(number)
            return UInt64(bitPattern: Int64(hasher.finalize()))
        }
        return (draw(0), draw(1), draw(2), draw(3))
    }()

    @inline(__always)
    private static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.high ^ product.low
    }

    /// - Parameter seed: the table's, or the hash of what comes before in a key of several parts.
    package static func of(_ words: Words256, seed: Int) -> Int {
        let secrets = secrets
        let seed = UInt64(bitPattern: Int64(seed)) ^ secrets.0
        let first = fold(words.a ^ secrets.1, words.b ^ seed)
        let second = fold(words.c ^ secrets.2, words.d ^ seed)
        return Int(truncatingIfNeeded: fold(first ^ secrets.3, second ^ seed))
    }

    /// The same of bytes of any number.
    package static func of(_ bytes: UnsafeRawBufferPointer, seed: Int) -> Int {
        let secrets = secrets
        let count = bytes.count
        func word(_ offset: Int) -> UInt64 { bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self) }
        var state = UInt64(bitPattern: Int64(seed)) ^ secrets.0
        var offset = 0
        while count - offset > 16 {
            state = fold(word(offset) ^ secrets.1, word(offset + 8) ^ state)
            offset += 16
        }
        // The last sixteen, or all where there are no more: at least nine, or none behind sixteen, overlap what was taken.
        var (low, high): (UInt64, UInt64) = (0, 0)
        if count >= 16 {
            (low, high) = (word(count - 16), word(count - 8))
        } else {
            for index in 0..<count {
                let byte = UInt64(bytes[index]) << UInt64(index & 7 * 8)
                if index < 8 { low |= byte } else { high |= byte }
            }
        }
        // Their number tells zeros at the end from nothing.
        let last = fold(low ^ secrets.2, high ^ state)
        return Int(truncatingIfNeeded: fold(last ^ secrets.3, UInt64(count) ^ state))
    }
}

extension Bytes32 {
    /// What the library's dictionaries and sets ask of a key.
    public func _rawHashValue(seed: Int) -> Int { TableHash.of(words, seed: seed) }
}

extension Signature {
    /// The same, for keys that hold one.
    package func tableHash(seed: Int) -> Int { TableHash.of(s, seed: TableHash.of(r, seed: seed)) }
}
