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

/// A masternode's key with its hash chain.
struct Validator {
    let user: User
    /// The registered tip is the last one's link.
    let chain: [Digest]

    init(_ name: String) throws {
        user = try User(name)
        var chain = [Digest(sha256: Array("beacon of \(name)".utf8))]
        for _ in 0..<400 { chain.append(Beacon.link(chain[chain.count - 1])) }
        self.chain = chain
    }

    var key: PublicKey { user.key.publicKey }
    var tip: Digest { Beacon.link(chain[chain.count - 1]) }
    func reveal(under link: Digest) -> Digest { chain.first { Beacon.link($0) == link } ?? .zero }
}

/// A chain kept in memory, of one masternode unless the test says otherwise: every block is checked, executed and
/// applied.
struct TestChain {
    static let genesisTime = Time(1_000_000)

    let ledger: Ledger
    let masternode: User
    /// All whose keys the test holds, by consensus key.
    var validators: [PublicKey: Validator] = [:]
    /// Neither vote nor propose.
    var silent: Set<PublicKey> = []
    var state = MapState()
    var parent: ParentFacts
    var certificate = ParentCertificate.genesis
    var history: [Account: [HistoryEntry]] = [:]
    private(set) var lastBlock: Block?

    init(
        _ users: [User], balance: UInt128 = 1_000_000_000_000, parameters: Parameters = Parameters(),
        masternodes: [(Validator, owner: User)]? = nil, deposits: Bool = false
    ) throws {
        var parameters = parameters
        // Most tests are about something else: state is free in them, and every unit moves where they say.
        if !deposits {
            parameters.depositPerKey = 0
            parameters.depositPerByte = 0
        }
        let members = try masternodes ?? [(Validator("masternode"), owner: User("owner"))]
        masternode = try #require(members.first).0.user
        for (validator, _) in members { validators[validator.key] = validator }
        let genesis = try Genesis(
            chainName: "test", time: Self.genesisTime, parameters: parameters,
            masternodes: try MasternodeSet(
                members.enumerated().map {
                    Masternode(
                        name: "m\($0)", consensusKey: $1.0.key, owner: $1.owner.account, beaconTip: $1.0.tip)
                }),
            allocations: users.map { Genesis.Allocation(account: $0.account, balance: balance) })
        ledger = Ledger(genesis: genesis)
        state.apply(ledger.genesisState())
        parent = ParentFacts(ledger, stateRoot: .zero)
    }

    var time: Time { parent.time }

    // MARK: Transactions

    func transaction(
        _ user: User, service: String = "chain", _ action: ActionId, data: [UInt8] = [], value: UInt128 = 0,
        gas: UInt64 = 10_000_000, post: String = "", ahead: UInt64 = 0, sequence: UInt64? = nil, validFor: UInt64 = 60_000
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
        guard let context = try? EpochContext(ledger: ledger, state: state) else { preconditionFailure("no context") }
        var view = context.epoch == parent.epoch ? parent.view.next : View(1)
        var leader = context.leaders.leader(of: view)
        while let key = context.set.member(leader)?.consensusKey, silent.contains(key) {
            view = view.next
            leader = context.leaders.leader(of: view)
        }
        let key = context.set.members[Int(leader)].consensusKey
        let link = state.value(.beacon(key)).flatMap { Digest($0) } ?? .zero
        let reveal = validators[key]?.reveal(under: link) ?? .zero
        let header = Header(
            height: parent.height.next, view: view, epoch: context.epoch, parent: parent.digest,
            proposer: leader, time: parent.time.advanced(by: milliseconds),
            transactionsRoot: Block.transactionsRoot(transactions), stateRoot: parent.stateRoot,
            receiptsRoot: parent.receiptsRoot, gasUsed: parent.gasUsed, reveal: reveal,
            randomness: Beacon.mix(parent.randomness, reveal: reveal), activeSetHash: context.setHash,
            nextSetHash: context.nextSetHash, parentCertificateHash: certificate.hash)
        return Block(header: header, parentCertificate: certificate, transactions: transactions)
    }

    func check(_ block: Block) throws -> BodyVerdict {
        try ledger.checkBody(block, parent: parent, state: state)
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
        let before = try EpochContext(ledger: ledger, state: state)
        let execution = try ledger.execute(block, state: state, transactionIds: body.transactionIds)
        state.apply(execution.delta)
        for (account, entry) in execution.delta.history { history[account, default: []].append(entry) }

        let digest = block.header.digest(genesis: ledger.genesisHash)
        // Stands for the root that the state tree would give.
        let root = Digest(sha256: digest.bytes + block.header.height.borsh)
        if execution.context.epoch == before.epoch {
            let proposal = Proposal(
                epoch: before.epoch, view: block.header.view, parentView: parent.view, parentDigest: parent.digest,
                digest: digest)
            certificate = .notarization(try #require(Notarization(subject: proposal, votes: try votes(on: proposal, before))))
        } else {
            let subject = Finalize(epoch: before.epoch, view: block.header.view, digest: digest)
            certificate = .finalization(try #require(Finalization(subject: subject, votes: try votes(on: subject, before))))
        }
        #expect(execution.context == (try EpochContext(ledger: ledger, state: state)))
        #expect(try isConserved() && totalCredits() <= mostCredits())
        parent = ParentFacts(block.header, digest: digest, stateRoot: root, execution: execution)
        lastBlock = block
        return execution
    }

    /// Of everybody in the set who is not silent.
    func votes<Subject: VoteSubject>(on subject: Subject, _ context: EpochContext) throws -> [Vote<Subject>] {
        try context.set.members.enumerated().compactMap { place, member in
            guard let validator = validators[member.consensusKey], !silent.contains(member.consensusKey) else { return nil }
            return Vote(
                subject: subject, signer: UInt16(place),
                signature: try validator.user.key.sign(subject, domain: Subject.domain, genesis: ledger.genesisHash))
        }
    }

    var context: EpochContext {
        get throws { try EpochContext(ledger: ledger, state: state) }
    }

    /// Makes blocks until this epoch has begun.
    mutating func advance(to epoch: UInt64) throws {
        while try context.epoch < Epoch(epoch) { try run() }
    }

    /// Runs one transaction in a block of its own.
    @discardableResult
    mutating func send(
        _ user: User, service: String = "chain", _ action: ActionId, data: [UInt8] = [], value: UInt128 = 0,
        gas: UInt64 = 10_000_000, post: String = "", after milliseconds: UInt64 = 1_000
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
            entry.key.bytes.first == UInt8(ascii: "a") ? sum + (try AccountRecord(borsh: entry.value).stake) : sum
        }
    }

    func number(_ key: StateKey) throws -> UInt128 {
        guard let bytes = state.value(key) else { return 0 }
        var decoder = BorshDecoder(bytes)
        return try decoder.integer()
    }

    /// Credits that all accounts could spend now.
    func totalCredits() throws -> UInt128 {
        let credits = Credits(ledger.genesis.parameters)
        return try state.values.reduce(0) { sum, entry in
            guard entry.key.bytes.first == UInt8(ascii: "a") else { return sum }
            return sum + UInt128(credits.available(try AccountRecord(borsh: entry.value), at: time))
        }
    }

    /// What all of them may be at most.
    func mostCredits() throws -> UInt128 { try number(.supply) / UInt128(ledger.genesis.parameters.balancePerCredit) }

    /// Balances, collateral, deposits and the reward pool are the supply.
    func isConserved() throws -> Bool { try totalBalance() + number(.rewardPool) == number(.supply) }

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
