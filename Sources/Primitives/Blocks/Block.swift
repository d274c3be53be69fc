import Cryptography
import Encoding

/// Everything a light client needs of a block (architecture, section 3).
public struct Header: BorshCodable, Hashable, Sendable {
    public static let currentVersion: UInt16 = 1

    public let version: UInt16
    public let height: Height
    public let view: View
    public let epoch: Epoch
    public let parent: Digest
    /// Place of the proposer in the epoch's set.
    public let proposer: UInt16
    public let time: Time
    /// RFC 9162 root over the block's encoded signed transactions.
    public let transactionsRoot: Digest
    /// Root of the state *before* this block, that is after its parent.
    public let stateRoot: Digest
    /// RFC 9162 root over the encoded receipts of the parent.
    public let receiptsRoot: Digest
    /// Gas that the parent used.
    public let gasUsed: UInt64
    /// The preimage of the proposer's hash chain that this block shows.
    public let reveal: Digest
    /// R_h = H(R_{h-1}, reveal).
    public let randomness: Digest
    public let activeSetHash: Digest
    public let nextSetHash: Digest
    /// Hash of the certificate of the parent that this block holds.
    public let parentCertificateHash: Digest

    public init(
        height: Height, view: View, epoch: Epoch, parent: Digest, proposer: UInt16, time: Time,
        transactionsRoot: Digest, stateRoot: Digest, receiptsRoot: Digest, gasUsed: UInt64, reveal: Digest,
        randomness: Digest, activeSetHash: Digest, nextSetHash: Digest, parentCertificateHash: Digest
    ) {
        version = Self.currentVersion
        self.height = height
        self.view = view
        self.epoch = epoch
        self.parent = parent
        self.proposer = proposer
        self.time = time
        self.transactionsRoot = transactionsRoot
        self.stateRoot = stateRoot
        self.receiptsRoot = receiptsRoot
        self.gasUsed = gasUsed
        self.reveal = reveal
        self.randomness = randomness
        self.activeSetHash = activeSetHash
        self.nextSetHash = nextSetHash
        self.parentCertificateHash = parentCertificateHash
    }

    /// The block's digest, which votes name: SHA-256(domain || genesisHash || borsh(header)).
    public func digest(genesis: Digest) -> Digest {
        Digest(domain: "edgeproof/block/1", parts: genesis.bytes, borsh)
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(version)
        encoder.value(height)
        encoder.value(view)
        encoder.value(epoch)
        encoder.value(parent)
        encoder.integer(proposer)
        encoder.value(time)
        encoder.value(transactionsRoot)
        encoder.value(stateRoot)
        encoder.value(receiptsRoot)
        encoder.integer(gasUsed)
        encoder.value(reveal)
        encoder.value(randomness)
        encoder.value(activeSetHash)
        encoder.value(nextSetHash)
        encoder.value(parentCertificateHash)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        version = try decoder.integer()
        guard version == Self.currentVersion else {
            throw decoder.failure(.notCanonical("header version \(version), expected \(Self.currentVersion)"))
        }
        height = try decoder.value()
        view = try decoder.value()
        epoch = try decoder.value()
        parent = try decoder.value()
        proposer = try decoder.integer()
        time = try decoder.value()
        transactionsRoot = try decoder.value()
        stateRoot = try decoder.value()
        receiptsRoot = try decoder.value()
        gasUsed = try decoder.integer()
        reveal = try decoder.value()
        randomness = try decoder.value()
        activeSetHash = try decoder.value()
        nextSetHash = try decoder.value()
        parentCertificateHash = try decoder.value()
    }
}

/// The proof, inside a block, that its parent was notarised: what the block contains is what consensus counts.
public enum ParentCertificate: BorshCodable, Hashable, Sendable {
    /// The parent is the genesis block, which needs none.
    case genesis
    case notarization(Notarization)
    case finalization(Finalization)

    public var hash: Digest { Digest(domain: "edgeproof/parent-certificate/1", parts: borsh) }

    /// Nil for the genesis.
    public var epoch: Epoch? {
        switch self {
        case .genesis: nil
        case .notarization(let certificate): certificate.epoch
        case .finalization(let certificate): certificate.epoch
        }
    }

    /// Places of the masternodes whose votes it holds.
    public var signers: [UInt16] {
        switch self {
        case .genesis: []
        case .notarization(let certificate): certificate.signers
        case .finalization(let certificate): certificate.signers
        }
    }

    /// Whether it is about this block in this view; `verify` checks the signatures.
    public func proves(epoch: Epoch, view: View, digest: Digest) -> Bool {
        switch self {
        case .genesis: view == .zero
        case .notarization(let c): c.epoch == epoch && c.view == view && c.subject.digest == digest
        case .finalization(let c): c.epoch == epoch && c.view == view && c.subject.digest == digest
        }
    }

    /// Whether it is a Finalization of an epoch's border block, which is what the first block of the next epoch holds.
    /// A border block may be proposed again in later views than the one of its header.
    public func provesBorder(epoch: Epoch, view: View, digest: Digest) -> Bool {
        guard case .finalization(let c) = self else { return false }
        return c.epoch == epoch && c.view >= view && c.subject.digest == digest
    }

    public func verify(
        by set: MasternodeSet, genesis: Digest, verifier: some SignatureVerifier = Ed25519Verifier()
    ) throws(CertificateError) {
        switch self {
        case .genesis: break
        case .notarization(let certificate): try certificate.verify(by: set, genesis: genesis, verifier: verifier)
        case .finalization(let certificate): try certificate.verify(by: set, genesis: genesis, verifier: verifier)
        }
    }

    public func encode(to encoder: inout BorshEncoder) {
        switch self {
        case .genesis:
            encoder.integer(UInt8(0))
        case .notarization(let certificate):
            encoder.integer(UInt8(1))
            encoder.value(certificate)
        case .finalization(let certificate):
            encoder.integer(UInt8(2))
            encoder.value(certificate)
        }
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        let tag: UInt8 = try decoder.integer()
        switch tag {
        case 0: self = .genesis
        case 1: self = .notarization(try decoder.value())
        case 2: self = .finalization(try decoder.value())
        default: throw decoder.failure(.unknownTag(tag))
        }
    }
}

public struct Block: BorshCodable, Hashable, Sendable {
    public let header: Header
    public let parentCertificate: ParentCertificate
    public let transactions: [SignedTransaction]

    public init(header: Header, parentCertificate: ParentCertificate, transactions: [SignedTransaction]) {
        self.header = header
        self.parentCertificate = parentCertificate
        self.transactions = transactions
    }

    /// Whether this body is the one that its header, and so its digest, names.
    public var isBoundByHeader: Bool {
        header.transactionsRoot == Self.transactionsRoot(transactions)
            && header.parentCertificateHash == parentCertificate.hash
    }

    public static func transactionsRoot(_ transactions: [SignedTransaction]) -> Digest {
        MerkleLog.root(transactions.map(\.leafHash))
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(header)
        encoder.value(parentCertificate)
        encoder.array(transactions)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        header = try decoder.value()
        parentCertificate = try decoder.value()
        transactions = try decoder.array(limit: ChainLimits.blockBytes / 152, smallestElement: 152)
    }
}

/// A finalised block with the proof: its own Finalization, or that of a descendant whose headers lead down to it.
public struct FinalizedBlock: BorshCodable, Hashable, Sendable {
    public let block: Block
    /// Nil for a block that only a descendant's Finalization proves.
    public let finalization: Finalization?

    public init(block: Block, finalization: Finalization?) {
        self.block = block
        self.finalization = finalization
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(block)
        encoder.optional(finalization)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        block = try decoder.value()
        finalization = try decoder.optional()
    }
}
