/// The item of a round that a `postId` names: "r<round>/" and a letter.
struct RoundItem {
    enum Kind: UInt8 {
        case commit
        case reveal
        case validation
        case complaint

        init?(letter: UInt8) {
            switch letter {
            case UInt8(ascii: "c"): self = .commit
            case UInt8(ascii: "r"): self = .reveal
            case UInt8(ascii: "v"): self = .validation
            case UInt8(ascii: "f"): self = .complaint
            default: return nil
            }
        }

        var name: StaticString {
            switch self {
            case .commit: "commit"
            case .reveal: "reveal"
            case .validation: "validation"
            case .complaint: "complaint"
            }
        }
    }

    let round: UInt32
    let kind: Kind

    /// Decimal without leading zeros: one round has one name.
    init?(postId: Bytes) {
        guard postId.count >= 4, postId[0] == UInt8(ascii: "r"), postId[postId.count &- 2] == UInt8(ascii: "/"),
            let kind = Kind(letter: postId[postId.count &- 1])
        else { return nil }
        let digits = postId[1..<postId.count &- 2]
        guard digits.count <= 10, digits.count == 1 || postId[1] != UInt8(ascii: "0") else { return nil }
        var round: UInt64 = 0
        for digit in digits {
            guard UInt8(ascii: "0")...UInt8(ascii: "9") ~= digit else { return nil }
            round = round &* 10 &+ UInt64(digit &- UInt8(ascii: "0"))
        }
        guard let round = UInt32(exactly: round) else { return nil }
        self.round = round
        self.kind = kind
    }

    /// Ends the call: "commit for round 3 refused: the job is in round 4".
    func refuse(_ reason: Text) -> Never {
        Chain.fail("\(kind.name) for round \(round) refused: \(reason)")
    }
}
