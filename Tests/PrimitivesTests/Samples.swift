import TestSupport
import Cryptography
import Encoding
import Primitives

/// Random values of every type that goes over a wire or into a hash.
extension SeededGenerator {
    mutating func flag() -> Bool { below(2) == 1 }
    mutating func u16() -> UInt16 { UInt16(truncatingIfNeeded: next()) }
    mutating func u64() -> UInt64 {
        switch below(4) {
        case 0: UInt64(below(4))
        case 1: UInt64.max - UInt64(below(4))
        default: next() >> UInt64(below(64))
        }
    }
    mutating func u128() -> UInt128 { UInt128(u64()) << UInt128(below(65)) | UInt128(u64()) }
    mutating func words<Value: Bytes32>(_ type: Value.Type = Value.self) -> Value { Value(bytes(32)) ?? .zero }
    mutating func counter<Value: Counter>(_ type: Value.Type = Value.self) -> Value { Value(u64()) }
    mutating func label<Value: Label>(_ type: Value.Type = Value.self) -> Value { Value(bytes(below(33))) ?? Value(unchecked: []) }
    mutating func signature() -> Signature { Signature(bytes(64)) ?? Signature.blank }
    mutating func maybe<Value>(_ make: (inout SeededGenerator) -> Value) -> Value? { flag() ? make(&self) : nil }
    mutating func list<Value>(_ most: Int, _ make: (inout SeededGenerator) -> Value) -> [Value] {
        (0..<below(most + 1)).map { _ in make(&self) }
    }

    /// Text of up to `most` bytes of UTF-8, not only ASCII.
    mutating func text(_ most: Int) -> String {
        let alphabet: [Character] = ["a", "Z", "0", " ", "é", "語", "𝄞", "-"]
        var text = ""
        for _ in 0..<below(most + 1) {
            let character = alphabet[below(alphabet.count)]
            if text.utf8.count + character.utf8.count <= most { text.append(character) }
        }
        return text
    }

    mutating func transaction() -> Transaction? {
        try? Transaction(
            sender: words(), sequence: u64(), validUntil: counter(), gasLimit: u64(), value: u128(), serviceId: label(),
            postId: label(), actionId: ActionId(u16()), data: bytes(below(40)))
    }

    mutating func signedTransaction() -> SignedTransaction? {
        transaction().map { SignedTransaction(transaction: $0, authorization: .ed25519(signature())) }
    }

    mutating func header() -> Header {
        Header(
            height: counter(), view: counter(), epoch: counter(), parent: words(), proposer: u16(), time: counter(),
            transactionsRoot: words(), stateRoot: words(), receiptsRoot: words(), gasUsed: u64(), reveal: words(),
            randomness: words(), activeSetHash: words(), nextSetHash: words(), parentCertificateHash: words())
    }

    mutating func proposal() -> Proposal {
        Proposal(epoch: counter(), view: counter(), parentView: counter(), parentDigest: words(), digest: words())
    }

    mutating func finalize() -> Finalize { Finalize(epoch: counter(), view: counter(), digest: words()) }

    mutating func certificate<Subject: VoteSubject>(_ subject: Subject) -> Certificate<Subject>? {
        var signers: Set<UInt16> = []
        for _ in 0..<below(6) { signers.insert(UInt16(below(ChainLimits.masternodes))) }
        return Certificate(
            subject: subject, votes: shuffled(signers.sorted()).map { Vote(subject: subject, signer: $0, signature: signature()) })
    }

    mutating func shuffled<Element>(_ elements: [Element]) -> [Element] {
        var result = elements
        for last in stride(from: result.count - 1, to: 0, by: -1) { result.swapAt(last, below(last + 1)) }
        return result
    }

    mutating func parentCertificate() -> ParentCertificate {
        switch below(3) {
        case 0: .genesis
        case 1: certificate(proposal()).map { .notarization($0) } ?? .genesis
        default: certificate(finalize()).map { .finalization($0) } ?? .genesis
        }
    }

    mutating func block() -> Block {
        Block(
            header: header(), parentCertificate: parentCertificate(),
            transactions: list(3) { $0.signedTransaction() }.compactMap { $0 })
    }

    mutating func outcome() -> Outcome {
        switch below(3) {
        case 0: .succeeded
        case 1: .recorded
        default: .failure(text(300))
        }
    }

    mutating func role() -> Role { Role.allCases[below(Role.allCases.count)] }
    mutating func kind() -> Finding.Kind { Finding.Kind.allCases[below(Finding.Kind.allCases.count)] }

    mutating func finding() -> Finding {
        let notes: [StaticString] = ["", "no budget left", "not joined"]
        return Finding(service: label(), role: role(), kind: kind(), weight: u64(), note: notes[below(3)])
    }

    mutating func entry() -> HistoryEntry {
        let action = transaction().map { ActionRecord(transaction: $0, outcome: outcome(), gasUsed: u64()) }
        return HistoryEntry(
            index: u64(), height: counter(), time: counter(),
            content: maybe { _ in action }.flatMap { $0 }.map { .action($0) } ?? .finding(finding()))
    }

    mutating func origin() -> Origin {
        switch below(3) {
        case 0: .transaction(words())
        case 1: .scheduled(contract: words(), number: u64())
        default: .border(counter())
        }
    }

    mutating func receipt() -> Receipt {
        Receipt(
            origin: origin(), outcome: outcome(), gasUsed: u64(),
            events: list(3) { Event(contract: $0.words(), topic: $0.bytes($0.below(65)), data: $0.bytes($0.below(50))) }
                .compactMap { $0 },
            returned: words())
    }

    mutating func frontier() -> MerkleFrontier {
        var frontier = MerkleFrontier()
        for _ in 0..<below(40) { frontier.append(words()) }
        return frontier
    }

    mutating func record() -> AccountRecord {
        AccountRecord(
            sequence: u64(), balance: u128(), locked: u128(), deposit: u128(), sponsor: maybe { $0.words() }, lent: u128(),
            credits: u64(), creditTime: counter(), history: frontier())
    }

    mutating func masternode() -> Masternode {
        Masternode(name: text(40), consensusKey: words(), owner: words(), beaconTip: words())
    }

    mutating func set() -> MasternodeSet? { try? MasternodeSet((0...below(4)).map { _ in masternode() }) }

    mutating func status() -> MasternodeRecord.Status {
        switch below(5) {
        case 0: .active(from: counter())
        case 1: .suspended(in: counter())
        case 2: .leaving(in: counter(), unlocksAt: counter())
        case 3: .removed(in: counter(), unlocksAt: counter())
        default: .slashed(in: counter())
        }
    }

    mutating func masternodeRecord() -> MasternodeRecord {
        MasternodeRecord(
            masternode: masternode(), collateral: u128(), status: status(), registeredAt: counter(), lastSeen: counter())
    }

    mutating func change() -> Change {
        switch below(3) {
        case 0: .parameter(name: text(Change.longestName), value: u64())
        case 1: .removeMasternode(words())
        default: .upgrade(protocolVersion: u16())
        }
    }

    mutating func proposalRecord() -> ProposalRecord {
        ProposalRecord(
            number: u64(), proposer: words(), change: change(), from: counter(), proposedIn: counter(),
            approvals: list(5) { $0.words() }, rejections: list(5) { $0.words() },
            outcome: ProposalRecord.Outcome(rawValue: UInt8(below(5))) ?? .open)
    }

    mutating func epochProgress() -> EpochProgress {
        var progress = EpochProgress(
            epoch: counter(), startHeight: counter(), startTime: counter(), protocolVersion: u16())
        for _ in 0..<below(6) { progress.see(UInt16(below(ChainLimits.masternodes))) }
        return progress
    }

    /// Nil where the votes contradict nothing.
    mutating func evidence() -> Evidence? {
        let (epoch, view, signer): (Epoch, View, UInt16) = (counter(), counter(), u16())
        func vote<Subject: VoteSubject>(_ subject: Subject, _ generator: inout SeededGenerator) -> Vote<Subject> {
            Vote(subject: subject, signer: signer, signature: generator.signature())
        }
        let first = vote(Finalize(epoch: epoch, view: view, digest: words()), &self)
        return flag()
            ? Evidence(first, vote(Finalize(epoch: epoch, view: view, digest: words()), &self))
            : Evidence(vote(Nullify(epoch: epoch, view: view), &self), first)
    }

    mutating func parameters() -> Parameters {
        var parameters = Parameters()
        parameters.networkDelayMs = 1 + next() >> 20
        parameters.blockBytes = 100_000 + UInt32(below(1_000_000))
        parameters.gasPerTransaction = u64()
        parameters.depositPerByte = u64() >> 30
        parameters.scheduledCallsPerService = UInt32(truncatingIfNeeded: next())
        return parameters
    }

    mutating func genesis() -> Genesis? {
        guard let set = try? MasternodeSet((0...below(4)).map { _ in masternode() }) else { return nil }
        return try? Genesis(
            chainName: "net-" + text(20), time: counter(), parameters: parameters(), masternodes: set,
            allocations: list(5) { .init(account: $0.words(), balance: UInt128($0.u64())) })
    }

    mutating func sponsorship() -> Sponsorship {
        Sponsorship(
            creditsPerMember: u64(), creditsPerWindow: u64(), newcomers: UInt32(truncatingIfNeeded: next()))
    }

    mutating func service() -> ServiceRecord {
        ServiceRecord(
            service: label(), contract: words(), owner: words(), codeHash: words(), kind: text(32),
            validator: maybe { $0.words() }, sponsorship: sponsorship(), registeredAt: counter())
    }

    mutating func registration() -> RegisterService {
        RegisterService(
            service: label(), codeHash: words(), kind: text(32), validator: maybe { $0.words() },
            initData: bytes(below(30)))
    }
}

extension Signature {
    static var blank: Signature {
        guard let signature = Signature([UInt8](repeating: 0, count: byteCount)) else { preconditionFailure("64 bytes") }
        return signature
    }
}
