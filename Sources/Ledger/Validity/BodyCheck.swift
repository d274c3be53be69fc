import Cryptography
import Encoding
import Primitives

/// What the rules need to know of a block's parent.
public struct ParentFacts: Hashable, Sendable {
    public let digest: Digest
    public let height: Height
    public let view: View
    public let epoch: Epoch
    public let time: Time
    public let randomness: Digest
    /// Root of the state after the parent.
    public let stateRoot: Digest
    /// RFC 9162 root over the parent's receipts.
    public let receiptsRoot: Digest
    /// Gas that the parent used.
    public let gasUsed: UInt64

    public init(
        digest: Digest, height: Height, view: View, epoch: Epoch, time: Time, randomness: Digest, stateRoot: Digest,
        receiptsRoot: Digest, gasUsed: UInt64
    ) {
        self.digest = digest
        self.height = height
        self.view = view
        self.epoch = epoch
        self.time = time
        self.randomness = randomness
        self.stateRoot = stateRoot
        self.receiptsRoot = receiptsRoot
        self.gasUsed = gasUsed
    }

    /// A block as the parent of the next one.
    public init(_ header: Header, digest: Digest, stateRoot: Digest, execution: Execution) {
        self.init(
            digest: digest, height: header.height, view: header.view, epoch: header.epoch, time: header.time,
            randomness: header.randomness, stateRoot: stateRoot, receiptsRoot: execution.receiptsRoot,
            gasUsed: execution.gasUsed)
    }

    /// The genesis as the parent of the first block.
    public init(_ ledger: Ledger, stateRoot: Digest, epoch: Epoch = .zero) {
        self.init(
            digest: ledger.genesisHash, height: .zero, view: .zero, epoch: epoch, time: ledger.genesis.time,
            randomness: ledger.genesis.initialRandomness, stateRoot: stateRoot, receiptsRoot: Receipt.root([]),
            gasUsed: 0)
    }
}

/// The rule that a block breaks.
public enum BlockError: Error, Equatable, Sendable, CustomStringConvertible {
    case height(Height, expected: Height)
    case epoch(Epoch, expected: Epoch)
    case view(View, parent: View)
    case parent(Digest, expected: Digest)
    case proposer(UInt16, expected: UInt16)
    case time(Time, parent: Time)
    case transactionsRoot
    case stateRoot(Digest, expected: Digest)
    case receiptsRoot(Digest, expected: Digest)
    case gasUsed(UInt64, expected: UInt64)
    case reveal
    case randomness
    case masternodeSet
    case parentCertificate(String)
    case oversize(bytes: Int, limit: Int)
    case gasOverLimit(UInt64)
    case transaction(Int, Refusal)

    public var description: String {
        switch self {
        case .height(let given, let expected): "height \(given), expected \(expected)"
        case .epoch(let given, let expected): "epoch \(given), expected \(expected)"
        case .view(let given, let parent): "view \(given) is not above the parent's \(parent)"
        case .parent(let given, let expected): "parent \(given), expected \(expected)"
        case .proposer(let given, let expected): "proposer \(given), the view's leader is \(expected)"
        case .time(let given, let parent): "time \(given) is not after the parent's \(parent)"
        case .transactionsRoot: "the transactions root is not that of the transactions"
        case .stateRoot(let given, let expected): "state root \(given), expected \(expected)"
        case .receiptsRoot(let given, let expected): "receipts root \(given), expected \(expected)"
        case .gasUsed(let given, let expected): "gas used \(given), expected \(expected)"
        case .reveal: "the reveal is no preimage of the proposer's hash chain link"
        case .randomness: "the randomness is not the parent's mixed with the reveal"
        case .masternodeSet: "a set hash is not that of the masternode set"
        case .parentCertificate(let reason): "the parent certificate is not valid: \(reason)"
        case .oversize(let bytes, let limit): "the block has more than \(limit) bytes (\(bytes))"
        case .gasOverLimit(let limit): "the transactions' gas limits add up to more than \(limit)"
        case .transaction(let index, let refusal): "transaction \(index): \(refusal)"
        }
    }
}

/// A block that keeps all rules, with what the check computed on the way.
public struct CheckedBody: Hashable, Sendable {
    /// In the order of the block.
    public let transactionIds: [TransactionId]
    /// Of the encoded block.
    public let byteCount: Int
}

public enum BodyVerdict: Equatable, Sendable {
    case valid(CheckedBody)
    case invalid(BlockError)
}

extension Ledger {
    /// Whether the block is valid on its parent (architecture, section 3). That its time is not ahead of the voter's
    /// clock is for the caller to see: too early is not invalid.
    /// - Parameters:
    ///   - state: after the parent.
    ///   - context: of the block's epoch, where the caller has it from the parent's execution; else it is read.
    ///   - firstUnauthorized: the place of the first transaction whose signature is wrong; the node answers from what it
    ///     verified at admission. Without it all are checked here, as a batch.
    public func checkBody(
        _ block: Block, parent: ParentFacts, state: any StateReader, context known: EpochContext? = nil,
        firstUnauthorized: (([SignedTransaction], [TransactionId]) -> Int?)? = nil
    ) throws(LedgerError) -> BodyVerdict {
        let context = try self.context(known, state: state)
        let parameters = context.parameters
        if let error = try headerError(block, parent: parent, context: context, state: state) { return .invalid(error) }
        if let error = try certificateError(block, parent: parent, context: context, state: state) {
            return .invalid(error)
        }

        let overhead = block.header.borsh.count + block.parentCertificate.borsh.count + 4
        let limit = Int(parameters.blockBytes)
        guard overhead <= limit else { return .invalid(.oversize(bytes: overhead, limit: limit)) }
        let count = block.transactions.count
        var prepass = Prepass(
            parameters: parameters, state: state, time: block.header.time, bytes: overhead, transactions: count)
        var ids: [TransactionId] = []
        var leaves: [Digest] = []
        ids.reserveCapacity(count)
        leaves.reserveCapacity(count)
        for (index, signed) in block.transactions.enumerated() {
            switch try prepass.add(signed.transaction, byteCount: signed.byteCount) {
            case .taken: break
            case .refused(let refusal): return .invalid(.transaction(index, refusal))
            case .full:
                let bytes = prepass.bytes + signed.byteCount
                return .invalid(
                    bytes > limit ? .oversize(bytes: bytes, limit: limit) : .gasOverLimit(parameters.blockGas))
            }
            ids.append(signed.id(genesis: genesisHash))
            leaves.append(signed.leafHash)
        }
        guard MerkleLog.root(leaves) == block.header.transactionsRoot else { return .invalid(.transactionsRoot) }
        // Last, since it costs the most.
        let wrong =
            if let firstUnauthorized { firstUnauthorized(block.transactions, ids) } else {
                SignatureBatch.check(block.transactions.map { $0.claim(genesis: genesisHash) }).firstIndex(of: false)
            }
        if let wrong { return .invalid(.transaction(wrong, .wrongSignature)) }
        return .valid(CheckedBody(transactionIds: ids, byteCount: prepass.bytes))
    }

    private func headerError(
        _ block: Block, parent: ParentFacts, context: EpochContext, state: any StateReader
    ) throws(LedgerError) -> BlockError? {
        let header = block.header
        let leader = context.leaders.leader(of: header.view)
        guard header.height == parent.height.next, header.height > parent.height else {
            return .height(header.height, expected: parent.height.next)
        }
        guard header.epoch == context.epoch else { return .epoch(header.epoch, expected: context.epoch) }
        // Views count anew in each epoch, from 1 on the border block, which stands at view 0 then.
        let below = parent.epoch == context.epoch ? parent.view : .zero
        guard header.view > below else { return .view(header.view, parent: below) }
        guard header.parent == parent.digest else { return .parent(header.parent, expected: parent.digest) }
        guard header.proposer == leader, let proposer = context.set.member(leader) else {
            return .proposer(header.proposer, expected: leader)
        }
        guard header.time > parent.time else { return .time(header.time, parent: parent.time) }
        guard header.stateRoot == parent.stateRoot else {
            return .stateRoot(header.stateRoot, expected: parent.stateRoot)
        }
        guard header.receiptsRoot == parent.receiptsRoot else {
            return .receiptsRoot(header.receiptsRoot, expected: parent.receiptsRoot)
        }
        guard header.gasUsed == parent.gasUsed else { return .gasUsed(header.gasUsed, expected: parent.gasUsed) }
        let link = try state.read(.beacon(proposer.consensusKey), as: Digest.self)
        guard Beacon.link(header.reveal) == link else { return .reveal }
        guard header.randomness == Beacon.mix(parent.randomness, reveal: header.reveal) else { return .randomness }
        guard header.activeSetHash == context.setHash, header.nextSetHash == context.nextSetHash else {
            return .masternodeSet
        }
        return nil
    }

    private func certificateError(
        _ block: Block, parent: ParentFacts, context: EpochContext, state: any StateReader
    ) throws(LedgerError) -> BlockError? {
        let certificate = block.parentCertificate
        guard certificate.hash == block.header.parentCertificateHash else {
            return .parentCertificate("its hash is not the header's")
        }
        // Only the genesis needs no proof.
        guard (certificate == .genesis) == (parent.height == .zero) else {
            return .parentCertificate(parent.height == .zero ? "the genesis has none" : "it is missing")
        }
        if certificate == .genesis { return nil }
        let followsBorder = parent.epoch != context.epoch
        let isAboutParent =
            followsBorder
            ? certificate.provesBorder(epoch: parent.epoch, view: parent.view, digest: parent.digest)
            : certificate.proves(epoch: parent.epoch, view: parent.view, digest: parent.digest)
        guard isAboutParent else { return .parentCertificate("it is about another block") }
        let set = followsBorder ? try state.require(.epoch(parent.epoch), as: EpochPlan.self).set : context.set
        do { try certificate.verify(by: set, genesis: genesisHash, verifier: verifier) } catch {
            return .parentCertificate(error.description)
        }
        return nil
    }
}
