import Audit
import Cryptography
import Encoding
import Primitives
import StateTree

/// A tiny chain: four masternodes, one participant with a history, one state, one finalised block. Everything can be
/// set, so that a test can make the chain itself (not only the file) say what no chain should.
struct Chain {
    let keys: [PrivateKey]
    let genesis: Genesis
    let account: Account

    var entries: [HistoryEntry] = []
    var record = AccountRecord()
    var reputation: [ReputationRecord?]
    /// Whether the state has the account at all.
    var exists = true
    var signers = [0, 1, 3]
    var descendants = 0
    var epoch = Epoch.zero
    var activeSetHash: Digest

    init() throws {
        var keys: [PrivateKey] = []
        for number in 0..<5 {
            if let key = PrivateKey(seed: Digest(sha256: [UInt8(number)]).bytes) { keys.append(key) }
        }
        self.keys = keys
        var parameters = Parameters()
        parameters.decayPeriodMs = 1_000
        let set = try MasternodeSet(
            keys.prefix(4).enumerated().map {
                Masternode(
                    name: "m\($0)", consensusKey: $1.publicKey, owner: Account($1.publicKey), beaconTip: .zero)
            })
        genesis = try Genesis(
            chainName: "audit-test", time: Time(1), parameters: parameters, masternodes: set, allocations: [])
        activeSetHash = set.hash
        account = Account(keys[4].publicKey)
        reputation = Role.allCases.map { _ in nil }

        try act(height: 1, time: 1_500, action: .postSecondLayerId, outcome: .succeeded)
        try act(height: 1, time: 1_500, action: .applicationTask, outcome: .recorded)
        find(height: 2, time: 2_600, role: .edge, kind: .accepted, weight: 3 << 20)
        try act(height: 4, time: 2_700, action: .commitmentTask, outcome: .failed("no round is open"))
        find(height: 5, time: 5_100, role: .edge, kind: .absent, weight: 1 << 20)
        find(height: 5, time: 5_100, role: .validator, kind: .outlier, weight: 0)
        find(height: 7, time: 7_000, role: .cloud, kind: .auditedMatch, weight: 5 << 18)
        settle()
    }

    mutating func act(
        height: UInt64, time: UInt64, action: ActionId, outcome: Outcome, sender: Account? = nil, sequence: UInt64? = nil
    ) throws {
        let own = entries.count { if case .action = $0.content { true } else { false } }
        let transaction = try Transaction(
            sender: sender ?? account, sequence: sequence ?? UInt64(own), validUntil: Time(9_999), gasLimit: 10,
            serviceId: .chain, actionId: action, data: [1, 2, 3])
        append(height, time, .action(ActionRecord(transaction: transaction, outcome: outcome, gasUsed: 7)))
    }

    mutating func find(height: UInt64, time: UInt64, role: Role, kind: Finding.Kind, weight: UInt64) {
        append(height, time, .finding(Finding(service: .chain, role: role, kind: kind, weight: weight, note: "")))
    }

    private mutating func append(_ height: UInt64, _ time: UInt64, _ content: HistoryEntry.Content) {
        entries.append(
            HistoryEntry(index: UInt64(entries.count), height: Height(height), time: Time(time), content: content))
    }

    /// Makes the state what an honest ledger would have made of the entries.
    mutating func settle() {
        record = AccountRecord(sequence: 0, balance: 1_234, credits: 5, creditTime: Time(7_000))
        var records = Role.allCases.map { _ in ReputationRecord() }
        for entry in entries {
            record.history.append(entry.leaf)
            switch entry.content {
            case .action: record.sequence += 1
            case .finding(let finding):
                let slot = Int(finding.role.rawValue)
                records[slot] = Reputation.apply(
                    records[slot], kind: finding.kind, weight: finding.weight, at: entry.time,
                    parameters: genesis.parameters)
            }
        }
        reputation = records.map { $0 == ReputationRecord() ? nil : $0 }
    }

    struct State: PageReader {
        var pages: [NodeKey: [UInt8]] = [:]
        func page(_ key: NodeKey) -> [UInt8]? { pages[key] }
    }

    func state() throws -> (State, root: Digest) {
        var values: [(StateKey, [UInt8])] = (0..<20).map { (.scheduleSlot($0), [UInt8($0)]) }
        if exists { values.append((.account(account), record.borsh)) }
        for (role, record) in zip(Role.allCases, reputation) {
            if let record { values.append((.reputation(account, role), record.borsh)) }
        }
        var state = State()
        let update = try StateTree.update(
            reader: state, changes: values.map { ($0.path, StateTree.valueHash($1)) })
        for (key, bytes) in update.puts { state.pages[key] = bytes }
        return (state, update.root)
    }

    func header(_ height: UInt64, parent: Digest, stateRoot: Digest) -> Header {
        Header(
            height: Height(height), view: View(height + 3), epoch: epoch, parent: parent, proposer: 1,
            time: Time(height * 1_000), transactionsRoot: .zero, stateRoot: stateRoot, receiptsRoot: .zero, gasUsed: 0,
            reveal: .zero, randomness: .zero, activeSetHash: activeSetHash, nextSetHash: activeSetHash,
            parentCertificateHash: .zero)
    }

    func finalization(of header: Header, signers: [Int]) throws -> Finalization? {
        let subject = Finalize(epoch: header.epoch, view: header.view, digest: header.digest(genesis: genesis.hash))
        let votes = try signers.map {
            Vote(
                subject: subject, signer: UInt16($0),
                signature: try keys[$0].sign(subject, domain: .finalize, genesis: genesis.hash))
        }
        return Finalization(subject: subject, votes: votes)
    }

    /// The file that a node of this chain gives out.
    func file() throws -> AuditFile {
        let (state, root) = try state()
        let header = header(9, parent: Digest(sha256: [9]), stateRoot: root)
        var above: [Header] = []
        for step in 0..<descendants {
            let below = above.last ?? header
            above.append(self.header(10 + UInt64(step), parent: below.digest(genesis: genesis.hash), stateRoot: .zero))
        }
        guard let finalization = try finalization(of: above.last ?? header, signers: signers) else {
            throw AuditError.truncated(0)
        }
        return try AuditFile(
            genesisHash: genesis.hash, account: account, header: header, descendants: above, finalization: finalization,
            record: ProvenValue(
                value: exists ? record : nil,
                proof: StateTree.prove(reader: state, path: StateKey.account(account).path).proof),
            entries: entries
        ) { role in
            ProvenValue(
                value: reputation[Int(role.rawValue)],
                proof: try StateTree.prove(reader: state, path: StateKey.reputation(account, role).path).proof)
        }
    }
}

extension AuditFile {
    /// The same file with some parts replaced, as a forger would who writes a fresh checksum.
    func replacing(
        genesisHash: Digest? = nil, account: Account? = nil, header: Header? = nil, descendants: [Header]? = nil,
        finalization: Finalization? = nil, record: ProvenValue<AccountRecord>? = nil, entries: [HistoryEntry]? = nil,
        reputation: [ProvenValue<ReputationRecord>]? = nil
    ) -> AuditFile {
        let proven = reputation ?? self.reputation
        return AuditFile(
            genesisHash: genesisHash ?? self.genesisHash, account: account ?? self.account,
            header: header ?? self.header, descendants: descendants ?? self.descendants,
            finalization: finalization ?? self.finalization, record: record ?? self.record,
            entries: entries ?? self.entries
        ) { proven[Int($0.rawValue)] }
    }
}

/// Makes the checksum fit again.
func resealed(_ bytes: [UInt8]) -> [UInt8] {
    let content = Array(bytes.dropLast(32))
    return content + Digest(sha256: content).bytes
}
