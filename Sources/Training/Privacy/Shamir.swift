import Cryptography

/// Shamir's secret sharing of byte strings over GF(2^8) (Shamir, "How to share a secret", 1979; the field of AES):
/// `threshold` of the shares give the secret back, fewer say nothing about it.
package enum Shamir {
    package struct Share: Sendable, Hashable {
        /// The place at which the polynomials were evaluated, 1 to 255.
        package let point: UInt8
        package let bytes: [UInt8]
    }

    /// Shares for the points 1 to `count`.
    package static func split(_ secret: [UInt8], threshold: Int, count: Int, randomness: SecretSeed) -> [Share] {
        var stream = SecretStream(randomness)
        let coefficients = secret.map { byte in
            [byte] + (1..<max(threshold, 1)).map { _ in UInt8(truncatingIfNeeded: stream.nextWord()) }
        }
        return (1...max(1, min(count, 255))).map { point in
            Share(
                point: UInt8(point),
                bytes: coefficients.map { polynomial in
                    polynomial.reversed().reduce(0) { multiply($0, UInt8(point)) ^ $1 }
                })
        }
    }

    /// Nil unless there are `threshold` shares of one length at different points.
    package static func join(_ shares: [Share], threshold: Int) -> [UInt8]? {
        var used: [Share] = []
        for share in shares where share.point != 0 && !used.contains(where: { $0.point == share.point }) {
            used.append(share)
            if used.count == threshold { break }
        }
        guard used.count == threshold, let length = used.first?.bytes.count,
            used.allSatisfy({ $0.bytes.count == length })
        else { return nil }
        // Lagrange at 0; in this field subtraction is exclusive or.
        let weights = used.map { share in
            used.reduce(UInt8(1)) { product, other in
                other.point == share.point
                    ? product : multiply(product, multiply(other.point, inverse(other.point ^ share.point)))
            }
        }
        return (0..<length).map { index in
            zip(used, weights).reduce(0) { $0 ^ multiply($1.0.bytes[index], $1.1) }
        }
    }

    /// Without tables or branches on the data: secrets pass here.
    private static func multiply(_ a: UInt8, _ b: UInt8) -> UInt8 {
        var (a, b, product) = (a, b, UInt8(0))
        for _ in 0..<8 {
            product ^= a & (0 &- (b & 1))
            let carry = 0 &- (a >> 7)
            a = a << 1 ^ (0x1B & carry)
            b >>= 1
        }
        return product
    }

    /// `a^254`.
    private static func inverse(_ a: UInt8) -> UInt8 {
        var (result, power) = (UInt8(1), a)
        for bit in 0..<8 {
            if 254 >> bit & 1 == 1 { result = multiply(result, power) }
            power = multiply(power, power)
        }
        return result
    }
}
