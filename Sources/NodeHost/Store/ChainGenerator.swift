import Cryptography
import Foundation
import Ledger
import NodeCore
import NodeHome
import Primitives
import StateTree
import Storage

/// Makes long chains for measurements: through the real ledger and store, with real signatures and certificates, as a
/// network with all keys in one hand would, but without the network.
package struct ChainGenerator {
    package struct Plan: Sendable {
        package var blocks: UInt64
        package var masternodes = 4
        package var accounts = 300
        package var transactionsPerBlock = 3
        /// Header time from block to block, in milliseconds.
        package var spacingMs: UInt64 = 100
        package var parameters = Parameters()
        /// The last masternode leaves in the first block, so that the set changes at the border of the second epoch after.
        package var hasOneLeave = false

        package init(blocks: UInt64) { self.blocks = blocks }
    }

    private let plan: Plan
    private let genesis: Genesis
    private let genesisHash: Digest
    private let masternodes: [PrivateKey]
    private var beacons: [BeaconChain]
    private let accounts: [PrivateKey]
    private var sequences: [UInt64]

    /// The keys are functions of their numbers: such a chain is worth nothing.
    package init(_ plan: Plan, now: Time) throws {
        func key(_ kind: String, _ index: Int) throws -> PrivateKey {
            let seed = Digest(domain: "edgeproof/generated-key/1", parts: Array("\(kind) \(index)".utf8))
            guard let key = PrivateKey(seed: seed.bytes) else { throw CryptographyError.invalidKey }
            return key
        }
        self.plan = plan
        masternodes = try (0..<plan.masternodes).map { try key("masternode", $0) }
        accounts = try (0..<plan.accounts).map { try key("account", $0) }
        // Long enough for every block to be one masternode's.
        let length = Int(clamping: plan.blocks) + 1
        beacons = masternodes.map { BeaconChain(secret: Digest(domain: "edgeproof/beacon-secret/1", parts: $0.seed), length: length + 1_024) }
        sequences = Array(repeating: 0, count: plan.accounts)
        let members = zip(masternodes, beacons).enumerated().map { index, parts in
            Masternode(
                name: "generated\(index)", consensusKey: parts.0.publicKey, owner: Account(parts.0.publicKey),
                beaconTip: parts.1.tip)
        }
        let span = plan.blocks.multipliedReportingOverflow(by: plan.spacingMs).partialValue
        genesis = try Genesis(
            chainName: "generated", time: Time(now.value - min(now.value, span + 60_000)), parameters: plan.parameters,
            masternodes: MasternodeSet(members),
            allocations: (accounts + masternodes).map {
                Genesis.Allocation(account: Account($0.publicKey), balance: 1_000_000_000_000)
            })
        genesisHash = genesis.hash
    }

    /// Writes genesis and store into the home.
    package mutating func run(home: NodeHome, progress: (UInt64) -> Void) throws -> ChainHead {
        try home.write(genesis)
        let store = try ChainStore(path: home.databaseFolder.path, genesisHash: genesisHash)
        defer { store.close() }
        let ledger = Ledger(genesis: genesis)
        let memory = MemoryState()
        var parent = try ExecutedBlock(genesis: ledger, store: memory)
        var certificate = ParentCertificate.genesis
        var commits: [Commit] = []
        var head = ChainHead(height: .zero, digest: parent.digest)
        while head.height.value < plan.blocks {
            let block = try next(on: parent, certificate, ledger)
            let digest = block.header.digest(genesis: genesisHash)
            let ids = block.transactions.map { $0.id(genesis: genesisHash) }
            let finalization = try finalization(of: block, digest, by: parent.context.set)
            let state = parent.stateCommit
            memory.apply(parent)
            parent.layer.sink()
            let executed = try ExecutedBlock(
                executing: block, digest: digest, transactionIds: ids, context: parent.context, ledger: ledger,
                below: parent.layer, store: memory)
            commits.append(
                Commit(
                    block: FinalizedBlock(block: block, finalization: finalization), digest: digest,
                    transactionIds: ids, state: state, link: executed.link(finalization)))
            // On a border block the next epoch starts, with its Finalization.
            certificate =
                executed.isBorder
                ? .finalization(finalization) : .notarization(try notarization(of: block, digest, parent: parent))
            parent = executed
            head = ChainHead(height: block.header.height, digest: digest)
            if commits.count == 256 || head.height.value == plan.blocks {
                try store.commit(commits)
                commits = []
                progress(head.height.value)
            }
        }
        return head
    }

    // MARK: Blocks. What the ledger's rules ask of a block is here alone.

    private mutating func next(
        on parent: ExecutedBlock, _ certificate: ParentCertificate, _ ledger: Ledger
    ) throws -> Block {
        let epoch = parent.context
        let view = Self.view(of: parent).next
        let proposer = epoch.leaders.leader(of: view)
        guard let member = epoch.set.member(proposer),
            let leader = masternodes.firstIndex(where: { $0.publicKey == member.consensusKey })
        else { throw GeneratorError(reason: "view \(view) has no leader") }
        let time = parent.header.time.advanced(by: plan.spacingMs)
        let chosen = try ledger.selectTransactions(
            from: try transactions(height: parent.header.height.next, time: time), state: parent.layer, time: time,
            certificate: certificate)
        let link = try parent.layer.value(.beacon(masternodes[leader].publicKey)).flatMap { Digest($0) }
        guard let link, let reveal = beacons[leader].reveal(under: link) else {
            throw GeneratorError(reason: "masternode \(leader) has no preimage left")
        }
        let header = Header(
            height: parent.header.height.next, view: view, epoch: epoch.epoch, parent: parent.digest,
            proposer: proposer, time: time, transactionsRoot: chosen.transactionsRoot,
            stateRoot: parent.stateRoot, receiptsRoot: parent.receiptsRoot, gasUsed: parent.gasUsed, reveal: reveal,
            randomness: Beacon.mix(parent.header.randomness, reveal: reveal), activeSetHash: epoch.setHash,
            nextSetHash: epoch.nextSetHash, parentCertificateHash: certificate.hash)
        return Block(header: header, parentCertificate: certificate, transactions: chosen.transactions)
    }

    /// Views count anew in each epoch.
    private static func view(of parent: ExecutedBlock) -> View { parent.isBorder ? .zero : parent.header.view }

    /// Transfers among the accounts in turn.
    private mutating func transactions(height: Height, time: Time) throws -> [SignedTransaction] {
        let leaving = plan.hasOneLeave && height == Height(1) ? try masternodes.last.map { [try leave($0, time)] } ?? [] : []
        return try leaving + (0..<plan.transactionsPerBlock).map { index in
            let number = Int(height.value) * plan.transactionsPerBlock + index
            let sender = number % accounts.count
            let recipient = accounts[(number * 7 + 1) % accounts.count]
            let transaction = try Transaction(
                sender: Account(accounts[sender].publicKey), sequence: sequences[sender],
                validUntil: time.advanced(by: 60_000), gasLimit: 300_000, value: 1_000, serviceId: .chain,
                actionId: .transfer, data: Account(recipient.publicKey).borsh)
            sequences[sender] += 1
            return try SignedTransaction(signing: transaction, with: accounts[sender], genesis: genesisHash)
        }
    }

    private func leave(_ masternode: PrivateKey, _ time: Time) throws -> SignedTransaction {
        let transaction = try Transaction(
            sender: Account(masternode.publicKey), sequence: 0, validUntil: time.advanced(by: 60_000), gasLimit: 2_000_000,
            serviceId: .chain, actionId: .unregisterMasternode, data: MasternodeReference(consensusKey: masternode.publicKey).borsh)
        return try SignedTransaction(signing: transaction, with: masternode, genesis: genesisHash)
    }

    /// The members of the block's set take turns to sign.
    private func votes<Subject: VoteSubject>(_ subject: Subject, by set: MasternodeSet) throws -> Certificate<Subject> {
        let votes = try (0..<set.quorum).map { offset in
            let index = (Int(subject.view.value % UInt64(set.count)) + offset) % set.count
            guard let member = set.member(UInt16(index)),
                let key = masternodes.first(where: { $0.publicKey == member.consensusKey })
            else { throw GeneratorError(reason: "member \(index) of the set is none of the generated masternodes") }
            return Vote(
                subject: subject, signer: UInt16(index),
                signature: try key.sign(subject, domain: Subject.domain, genesis: genesisHash))
        }
        guard let certificate = Certificate(subject: subject, votes: votes) else {
            throw GeneratorError(reason: "the votes make no certificate")
        }
        return certificate
    }

    private func notarization(of block: Block, _ digest: Digest, parent: ExecutedBlock) throws -> Notarization {
        try votes(
            Proposal(
                epoch: block.header.epoch, view: block.header.view, parentView: Self.view(of: parent),
                parentDigest: block.header.parent, digest: digest), by: parent.context.set)
    }

    private func finalization(of block: Block, _ digest: Digest, by set: MasternodeSet) throws -> Finalization {
        try votes(Finalize(epoch: block.header.epoch, view: block.header.view, digest: digest), by: set)
    }
}

package struct GeneratorError: Error, CustomStringConvertible {
    let reason: String
    package var description: String { "no chain was made: \(reason)" }
}
