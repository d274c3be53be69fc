import Cryptography
import Encoding
import Mempool
import Primitives

/// Small, seeded, the same everywhere.
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

func account(_ index: Int) -> Account { Account(words: Digest(sha256: Array("account \(index)".utf8)).words) }

/// The pool never looks at signatures: any one does.
func admitted(
    _ sender: Int, _ sequence: UInt64, data: Int = 0, validUntil: UInt64 = 1_000, mark: UInt8 = 0, weight: UInt64 = 0,
    replaces: TransactionId? = nil, evidence: Bool = false
) throws -> Admitted {
    let transaction = try Transaction(
        sender: account(sender), sequence: sequence, validUntil: Time(validUntil), gasLimit: 50_000,
        serviceId: ServiceId(unchecked: [mark]), actionId: .commitmentTask, data: Array(repeating: 7, count: data))
    let signature = try BorshDecoder.signature(Array(repeating: 1, count: 64))
    let signed = SignedTransaction(transaction: transaction, authorization: .ed25519(signature))
    return Admitted(
        id: transaction.id(genesis: .zero), signed: signed, byteCount: signed.borsh.count, reservedCredits: 60_000 + UInt64(data),
        weight: weight, replaces: replaces, isEvidence: evidence)
}

extension BorshDecoder {
    static func signature(_ bytes: [UInt8]) throws -> Signature { try Signature(borsh: bytes) }
}
