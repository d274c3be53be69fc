import Consensus
import Cryptography
import NodeCore
import Primitives

/// A keyed hash in place of Ed25519, which is what most of a run would otherwise cost: the public key signs and
/// checks. Liars of a simulation sign with their own keys alone, so nothing is lost by it.
package struct KeyedHash: NodeSignatures {
    package init() {}

    package func isValid(_ signature: Signature, of key: PublicKey, message: [UInt8]) -> Bool {
        signature == Self.signature(of: key, message)
    }

    package func isAuthorized(_ transaction: SignedTransaction, id: TransactionId, genesis: Digest) -> Bool {
        guard case .ed25519(let signature) = transaction.authorization else { return false }
        let message = SigningDomain.transaction.message(genesis: genesis, body: transaction.transaction)
        return isValid(signature, of: transaction.transaction.sender.publicKey, message: message)
    }

    /// FNV-1a over key and message, spread over the signature.
    static func signature(of key: PublicKey, _ message: [UInt8]) -> Signature? {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in key.bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        for byte in message { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        var bytes: [UInt8] = []
        for part in 0..<8 as Range<UInt64> {
            let word = (hash ^ part) &* 0x9E37_79B9_7F4A_7C15
            for shift in 0..<8 as Range<UInt64> { bytes.append(UInt8(truncatingIfNeeded: word >> (8 * shift))) }
        }
        return Signature(bytes)
    }
}

/// A key of the cast: real, or one whose signatures are keyed hashes.
package struct SimulatedKey: VoteSigner {
    let real: PrivateKey
    let isReal: Bool

    package var publicKey: PublicKey { real.publicKey }
    package var account: Account { Account(publicKey) }

    package func sign(message: [UInt8]) throws -> Signature {
        if isReal { return try real.sign(message: message) }
        guard let signature = KeyedHash.signature(of: publicKey, message) else { throw CryptographyError.signingFailed }
        return signature
    }

    package func sign(_ transaction: Transaction, genesis: Digest) throws -> SignedTransaction {
        let message = SigningDomain.transaction.message(genesis: genesis, body: transaction)
        return SignedTransaction(transaction: transaction, authorization: .ed25519(try sign(message: message)))
    }

    package func vote<Subject: VoteSubject>(_ subject: Subject, by index: UInt16, genesis: Digest) throws -> Vote<Subject> {
        let message = Subject.domain.message(genesis: genesis, body: subject)
        return Vote(subject: subject, signer: index, signature: try sign(message: message))
    }
}
