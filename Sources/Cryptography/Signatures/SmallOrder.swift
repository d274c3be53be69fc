extension PublicKey {
    /// Whether the bytes are a point of small order, in any of its encodings: anybody can make signatures that such a
    /// key seems to have made, so the chain takes it neither as a sender nor as a recipient or member.
    ///
    /// The eight points of the torsion subgroup have seven y coordinates below 2^255 that decode to them (of which two
    /// are not reduced modulo p); the sign of x, the last byte's highest bit, does not matter.
    public var isOfSmallOrder: Bool {
        let withoutSign = Words256(a: words.a, b: words.b, c: words.c, d: words.d & ~0x80)
        return Self.smallOrder.contains(withoutSign)
    }

    private static let smallOrder: [Words256] = {
        let zeros = [UInt8](repeating: 0, count: 31)
        let ones = [UInt8](repeating: 0xff, count: 30) + [0x7f]
        let all: [[UInt8]] = [
            // y = 0, of order 4, and y = 1, the neutral element.
            [0] + zeros, [1] + zeros,
            // y = p - 1, of order 2, and p and p + 1, which stand for 0 and 1.
            [0xec] + ones, [0xed] + ones, [0xee] + ones,
            // Of order 8.
            [
                0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5,
                0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
            ],
            [
                0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a,
                0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
            ],
        ]
        return all.compactMap { Words256($0) }
    }()
}
