import Encoding

/// Bech32m (BIP 350) of 32 bytes under a human-readable part: how people see accounts. A mistyped one is refused.
public enum Bech32m {
    private static let alphabet = Array("qpzry9x8gf2tvdw0s3jn54khce6mua7l".utf8)
    private static let generator: [UInt32] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3]
    private static let constant: UInt32 = 0x2bc8_30a3
    /// BIP 173 allows 90 characters in all.
    private static let longest = 90

    public enum Failure: Error, Equatable, CustomStringConvertible {
        case length(Int)
        case mixedCase
        case noSeparator
        case wrongPrefix(expected: String, found: String)
        case character(String, position: Int)
        case checksum
        case padding

        public var description: String {
            switch self {
            case .length(let count): "has \(count) characters, which no address has"
            case .mixedCase: "mixes upper and lower case"
            case .noSeparator: "has no '1' between prefix and data"
            case .wrongPrefix(let expected, let found): "starts with '\(found)1' instead of '\(expected)1'"
            case .character(let text, let position): "has the character '\(text)' at position \(position), which addresses never use"
            case .checksum: "has a wrong checksum: a character is mistyped"
            case .padding: "has wrong padding"
            }
        }
    }

    public static func encode(prefix: String, bytes: [UInt8]) -> String {
        let data = regroup(bytes, from: 8, to: 5, pad: true) ?? []
        let checksumInput = expand(Array(prefix.utf8)) + data + [0, 0, 0, 0, 0, 0]
        let polymod = polymod(checksumInput) ^ constant
        let checksum = (0..<6).map { UInt8(polymod >> UInt32(5 * (5 - $0)) & 31) }
        let characters = Array(prefix.utf8) + [0x31] + (data + checksum).map { alphabet[Int($0)] }
        return String(decoding: characters, as: UTF8.self)
    }

    public static func decode(prefix: String, _ text: String) throws(Failure) -> [UInt8] {
        var characters = Array(text.utf8)
        guard (8...longest).contains(characters.count) else { throw .length(characters.count) }
        if let position = characters.firstIndex(where: { !(0x21...0x7e).contains($0) }) {
            throw .character("\\x" + Hexadecimal.encode([characters[position]]), position: position + 1)
        }
        let hasUpper = characters.contains { (0x41...0x5a).contains($0) }
        let hasLower = characters.contains { (0x61...0x7a).contains($0) }
        guard !(hasUpper && hasLower) else { throw .mixedCase }
        if hasUpper { characters = characters.map { (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 } }
        // The last '1' separates. A mistyped one behind the right prefix is told as that, not as another prefix.
        guard
            let separator = characters.starts(with: Array((prefix + "1").utf8))
                ? prefix.utf8.count : characters.lastIndex(of: 0x31)
        else { throw .noSeparator }
        let found = String(decoding: characters[..<separator], as: UTF8.self)
        guard found == prefix else { throw .wrongPrefix(expected: prefix, found: found) }

        var values: [UInt8] = []
        for position in (separator + 1)..<characters.count {
            guard let value = alphabet.firstIndex(of: characters[position]) else {
                throw .character(String(decoding: [characters[position]], as: UTF8.self), position: position + 1)
            }
            values.append(UInt8(value))
        }
        guard values.count >= 6, polymod(expand(Array(prefix.utf8)) + values) == constant else { throw .checksum }
        guard let bytes = regroup(Array(values.dropLast(6)), from: 5, to: 8, pad: false) else { throw .padding }
        return bytes
    }

    private static func expand(_ prefix: [UInt8]) -> [UInt8] {
        prefix.map { $0 >> 5 } + [0] + prefix.map { $0 & 31 }
    }

    private static func polymod(_ values: [UInt8]) -> UInt32 {
        var checksum: UInt32 = 1
        for value in values {
            let top = checksum >> 25
            checksum = (checksum & 0x1ff_ffff) << 5 ^ UInt32(value)
            for bit in 0..<5 where top >> UInt32(bit) & 1 == 1 { checksum ^= generator[bit] }
        }
        return checksum
    }

    private static func regroup(_ input: [UInt8], from: UInt32, to: UInt32, pad: Bool) -> [UInt8]? {
        var accumulator: UInt32 = 0
        var bits: UInt32 = 0
        var output: [UInt8] = []
        let mask: UInt32 = 1 << to - 1
        for value in input {
            accumulator = (accumulator << from | UInt32(value)) & 0xfff
            bits += from
            while bits >= to {
                bits -= to
                output.append(UInt8(accumulator >> bits & mask))
            }
        }
        if pad {
            if bits > 0 { output.append(UInt8(accumulator << (to - bits) & mask)) }
        } else if bits >= from || accumulator << (to - bits) & mask != 0 {
            return nil
        }
        return output
    }
}
