import Cryptography
import Encoding

/// Votes of a quorum on one subject: the subject, who signed, and their signatures in the order of the set.
public struct Certificate<Subject: VoteSubject>: BorshCodable, Hashable, Sendable {
    public let subject: Subject
    /// Places in the masternode set, strictly ascending; encoded as a bitmap.
    public let signers: [UInt16]
    /// One for each signer, in the same order.
    public let signatures: [Signature]

    public var epoch: Epoch { subject.epoch }
    public var view: View { subject.view }

    /// Nil when two votes are of one signer, or a vote is on another subject.
    ///
    /// Inlinable, since two are made for each block and the generic form costs ten times what a compiled one does.
    @inlinable
    public init?(subject: Subject, votes: [Vote<Subject>]) {
        var signers: [UInt16] = []
        var signatures: [Signature] = []
        signers.reserveCapacity(votes.count)
        signatures.reserveCapacity(votes.count)
        // Mostly in their order already.
        for vote in votes {
            guard vote.subject == subject, Int(vote.signer) < ChainLimits.masternodes else { return nil }
            var place = signers.count
            while place > 0, signers[place - 1] > vote.signer { place -= 1 }
            guard place == 0 || signers[place - 1] != vote.signer else { return nil }
            signers.insert(vote.signer, at: place)
            signatures.insert(vote.signature, at: place)
        }
        self.subject = subject
        self.signers = signers
        self.signatures = signatures
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(subject)
        var bitmap = [UInt8](repeating: 0, count: signers.last.map { Int($0) / 8 + 1 } ?? 0)
        for signer in signers { bitmap[Int(signer) / 8] |= 1 << UInt8(signer % 8) }
        encoder.variable(bitmap)
        for signature in signatures { encoder.value(signature) }
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        subject = try decoder.value()
        let bitmap = try decoder.variable(limit: ChainLimits.masternodes / 8)
        guard bitmap.last != 0 else { throw decoder.failure(.notCanonical("signer bitmap ends with a zero byte")) }
        var signers: [UInt16] = []
        for (index, byte) in bitmap.enumerated() {
            for bit in 0..<8 where byte >> UInt8(bit) & 1 == 1 { signers.append(UInt16(index * 8 + bit)) }
        }
        self.signers = signers
        var signatures: [Signature] = []
        for _ in signers { signatures.append(try decoder.value()) }
        self.signatures = signatures
    }

    /// Whether the bytes are what may follow a certificate's subject: signers, and as many signatures. Nothing is decoded.
    public static func isWellFormed(behindSubject bytes: ArraySlice<UInt8>) -> Bool {
        var decoder = BorshDecoder(Array(bytes.prefix(4 + ChainLimits.masternodes / 8)))
        guard let bitmap = try? decoder.variable(limit: ChainLimits.masternodes / 8), bitmap.last != 0
        else { return false }
        return bytes.count - 4 - bitmap.count == bitmap.reduce(0) { $0 + $1.nonzeroBitCount } * Signature.byteCount
    }

    /// Checks that a quorum of distinct masternodes of the set signed the subject.
    public func verify(
        by set: MasternodeSet, genesis: Digest, verifier: some SignatureVerifier = Ed25519Verifier()
    ) throws(CertificateError) {
        guard signers.count >= set.quorum else { throw .tooFewSigners(signers.count, quorum: set.quorum) }
        guard signers.count == signatures.count else { throw .tooFewSigners(signatures.count, quorum: set.quorum) }
        let message = Subject.domain.message(genesis: genesis, body: subject)
        for (signer, signature) in zip(signers, signatures) {
            guard let member = set.member(signer) else { throw .unknownSigner(signer) }
            guard verifier.isValid(signature, of: member.consensusKey, message: message) else {
                throw .wrongSignature(signer)
            }
        }
    }
}

public typealias Notarization = Certificate<Proposal>
public typealias Nullification = Certificate<Nullify>
public typealias Finalization = Certificate<Finalize>

public enum CertificateError: Error, Equatable, CustomStringConvertible {
    case tooFewSigners(Int, quorum: Int)
    case unknownSigner(UInt16)
    case wrongSignature(UInt16)

    public var description: String {
        switch self {
        case .tooFewSigners(let count, let quorum): "certificate has \(count) signers, a quorum is \(quorum)"
        case .unknownSigner(let index): "certificate names signer \(index), who is not in the set"
        case .wrongSignature(let index): "certificate has a wrong signature of signer \(index)"
        }
    }
}

/// Checks signatures of votes: Ed25519 in a network, a keyed hash in most runs of the simulator.
public protocol SignatureVerifier: Sendable {
    func isValid(_ signature: Signature, of key: PublicKey, message: [UInt8]) -> Bool
}

public struct Ed25519Verifier: SignatureVerifier {
    public init() {}

    public func isValid(_ signature: Signature, of key: PublicKey, message: [UInt8]) -> Bool {
        key.isValid(signature, message: message)
    }
}
