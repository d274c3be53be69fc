import Cryptography
import Encoding
import Ledger
import Primitives
import Testing

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

    mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8.random(in: 0...255, using: &self) } }
}

struct MapState: StateReader {
    var values: [StateKey: [UInt8]] = [:]

    func value(_ key: StateKey) -> [UInt8]? { values[key] }

    mutating func apply(_ delta: StateDelta) {
        for (key, value) in delta.changes { values[key] = value }
    }
}

struct User {
    let key: PrivateKey
    var account: Account { Account(key.publicKey) }

    init(_ name: String) throws { key = try #require(PrivateKey(seed: Digest(sha256: Array(name.utf8)).bytes)) }
}

/// A chain of one masternode, kept in memory: every block is checked, executed and applied.
struct TestChain {
    static let genesisTime = Time(1_000_000)

    let ledger: Ledger
    let masternode: User
    var state = MapState()
    var parent: ParentFacts
    var certificate = ParentCertificate.genesis
    var history: [Account: [HistoryEntry]] = [:]
    private(set) var lastBlock: Block?
    /// Preimages of the beacon's hash chain, the next to be shown last.
    var reveals: [Digest]

    init(
        _ users: [User], balance: UInt128 = 1_000_000_000_000, parameters: Parameters = Parameters()
    ) throws {
        masternode = try User("masternode")
        var chain = [Digest(sha256: Array("beacon".utf8))]
        for _ in 0..<300 { chain.append(Beacon.link(chain[chain.count - 1])) }
        let member = Masternode(
            name: "m", consensusKey: masternode.key.publicKey, owner: masternode.account, beaconTip: chain[300])
        reveals = Array(chain.dropLast())
        let genesis = try Genesis(
            chainName: "test", time: Self.genesisTime, parameters: parameters,
            masternodes: try MasternodeSet([member]),
            allocations: users.map { Genesis.Allocation(account: $0.account, balance: balance) })
        ledger = Ledger(genesis: genesis)
        state.apply(ledger.genesisState())
        parent = ParentFacts(ledger, stateRoot: .zero)
    }

    var time: Time { parent.time }

    // MARK: Transactions

    func transaction(
        _ user: User, service: String = "chain", _ action: ActionId, data: [UInt8] = [], value: UInt128 = 0,
        gas: UInt64 = 5_000_000, post: String = "", ahead: UInt64 = 0, sequence: UInt64? = nil, validFor: UInt64 = 60_000
    ) throws -> SignedTransaction {
        let next = try ledger.account(user.account, at: time, state: state)?.record.sequence ?? 0
        let transaction = try Transaction(
            sender: user.account, sequence: sequence ?? next + ahead, validUntil: time.advanced(by: validFor),
            gasLimit: gas, value: value, serviceId: try #require(ServiceId(service)),
            postId: try #require(PostId(post)), actionId: action, data: data)
        return try SignedTransaction(signing: transaction, with: user.key, genesis: ledger.genesisHash)
    }

    // MARK: Blocks

    /// The next block, valid if the transactions are.
    func block(_ transactions: [SignedTransaction], after milliseconds: UInt64 = 1_000) -> Block {
        let reveal = reveals.last ?? .zero
        let header = Header(
            height: parent.height.next, view: parent.view.next, epoch: parent.epoch, parent: parent.digest,
            proposer: 0, time: parent.time.advanced(by: milliseconds),
            transactionsRoot: Block.transactionsRoot(transactions), stateRoot: parent.stateRoot,
            receiptsRoot: parent.receiptsRoot, gasUsed: parent.gasUsed, reveal: reveal,
            randomness: Beacon.mix(parent.randomness, reveal: reveal), activeSetHash: ledger.masternodeSetHash,
            nextSetHash: ledger.masternodeSetHash, parentCertificateHash: certificate.hash)
        return Block(header: header, parentCertificate: certificate, transactions: transactions)
    }

    func check(_ block: Block) throws -> BodyVerdict {
        try ledger.checkBody(block, parent: parent, leader: 0, state: state)
    }

    /// Makes, checks, executes and applies a block.
    @discardableResult
    mutating func run(_ transactions: [SignedTransaction] = [], after milliseconds: UInt64 = 1_000) throws -> Execution {
        try apply(block(transactions, after: milliseconds))
    }

    @discardableResult
    mutating func apply(_ block: Block) throws -> Execution {
        let verdict = try check(block)
        guard case .valid(let body) = verdict else {
            Issue.record("the block is not valid: \(verdict)")
            throw BlockIsInvalid()
        }
        #expect(body.byteCount == block.borsh.count)
        let execution = try ledger.execute(block, state: state, transactionIds: body.transactionIds)
        state.apply(execution.delta)
        for (account, entry) in execution.delta.history { history[account, default: []].append(entry) }

        let digest = block.header.digest(genesis: ledger.genesisHash)
        // Stands for the root that the state tree would give.
        let root = Digest(sha256: digest.bytes + block.header.height.borsh)
        let proposal = Proposal(
            epoch: block.header.epoch, view: block.header.view, parentView: parent.view, parentDigest: parent.digest,
            digest: digest)
        let signature = try masternode.key.sign(proposal, domain: .notarize, genesis: ledger.genesisHash)
        let vote = Vote(subject: proposal, signer: 0, signature: signature)
        certificate = .notarization(try #require(Notarization(subject: proposal, votes: [vote])))
        parent = ParentFacts(block.header, digest: digest, stateRoot: root, execution: execution)
        lastBlock = block
        reveals.removeLast()
        return execution
    }

    /// Runs one transaction in a block of its own.
    @discardableResult
    mutating func send(
        _ user: User, service: String = "chain", _ action: ActionId, data: [UInt8] = [], value: UInt128 = 0,
        gas: UInt64 = 5_000_000, post: String = "", after milliseconds: UInt64 = 1_000
    ) throws -> Receipt {
        let signed = try transaction(
            user, service: service, action, data: data, value: value, gas: gas, post: post,
            validFor: milliseconds + 60_000)
        let execution = try run([signed], after: milliseconds)
        return try #require(execution.receipts.first)
    }

    // MARK: Contracts

    /// Uploads the module and registers a service with it.
    @discardableResult
    mutating func deploy(
        _ name: String, owner: User, validator: Account? = nil, deposit: UInt128 = 0, initData: [UInt8] = [],
        _ entries: [(name: String, steps: [Step])]
    ) throws -> (contract: Account, receipt: Receipt) {
        let code = WasmAssembler.module(entries)
        #expect(try send(owner, .uploadContract, data: code, gas: 20_000_000).outcome == .succeeded)
        let data = RegisterService(
            service: try #require(ServiceId(name)), codeHash: Digest(sha256: code), kind: "contract",
            validator: validator, initData: initData)
        let sequence = try record(owner.account).sequence
        let receipt = try send(owner, .registerService, data: data.borsh, value: deposit, gas: 20_000_000)
        return (Account.contract(creator: owner.account, sequence: sequence), receipt)
    }

    func stored(_ contract: Account, _ key: String) -> [UInt8]? {
        state.values[.storage(contract, Array(key.utf8))]
    }

    // MARK: Reads

    func record(_ account: Account) throws -> AccountRecord {
        try state.values[.account(account)].map { try AccountRecord(borsh: $0) } ?? AccountRecord()
    }

    func balance(_ account: Account) throws -> UInt128 { try record(account).balance }

    func totalBalance() throws -> UInt128 {
        try state.values.reduce(0) { sum, entry in
            entry.key.bytes.first == UInt8(ascii: "a") ? sum + (try AccountRecord(borsh: entry.value).balance) : sum
        }
    }

    /// Whether every account's frontier is that of all entries that were given out.
    func historiesAreComplete() throws -> Bool {
        for (account, entries) in history {
            let frontier = try record(account).history
            guard frontier.size == UInt64(entries.count), frontier.root == MerkleLog.root(entries.map(\.leaf)),
                entries.enumerated().allSatisfy({ $0.element.index == UInt64($0.offset) })
            else { return false }
        }
        return true
    }
}

struct BlockIsInvalid: Error {}

extension Outcome {
    var failure: String? { if case .failed(let message) = self { message } else { nil } }
}
