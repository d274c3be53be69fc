import TestSupport
import Cryptography
import Encoding
import Primitives

/// Random values of every type that goes over a wire or into a hash.
extension SeededGenerator {
    package mutating func flag() -> Bool { below(2) == 1 }
    package mutating func u16() -> UInt16 { UInt16(truncatingIfNeeded: next()) }
    package mutating func u64() -> UInt64 {
        switch below(4) {
        case 0: UInt64(below(4))
        case 1: UInt64.max - UInt64(below(4))
        default: next() >> UInt64(below(64))
        }
    }
    package mutating func u128() -> UInt128 { UInt128(u64()) << UInt128(below(65)) | UInt128(u64()) }
    package mutating func words<Value: Bytes32>(_ type: Value.Type = Value.self) -> Value { Value(bytes(32)) ?? .zero }
    package mutating func counter<Value: Counter>(_ type: Value.Type = Value.self) -> Value { Value(u64()) }
    package mutating func label<Value: Label>(_ type: Value.Type = Value.self) -> Value { Value(bytes(below(33))) ?? Value(unchecked: []) }
    package mutating func signature() -> Signature { Signature(bytes(64)) ?? Signature.blank }
    package mutating func maybe<Value>(_ make: (inout SeededGenerator) -> Value) -> Value? { flag() ? make(&self) : nil }
    package mutating func list<Value>(_ most: Int, _ make: (inout SeededGenerator) -> Value) -> [Value] {
        (0..<below(most + 1)).map { _ in make(&self) }
    }

    /// Text of up to `most` bytes of UTF-8, not only ASCII.
    package mutating func text(_ most: Int) -> String {
        let alphabet: [Character] = ["a", "Z", "0", " ", "é", "語", "𝄞", "-"]
        var text = ""
        for _ in 0..<below(most + 1) {
            let character = alphabet[below(alphabet.count)]
            if text.utf8.count + character.utf8.count <= most { text.append(character) }
        }
        return text
    }

    package mutating func transaction() -> Transaction? {
        try? Transaction(
            sender: words(), sequence: u64(), validUntil: counter(), gasLimit: u64(), value: u128(), serviceId: label(),
            postId: label(), actionId: ActionId(u16()), data: bytes(below(40)))
    }

    package mutating func signedTransaction() -> SignedTransaction? {
        transaction().map { SignedTransaction(transaction: $0, authorization: .ed25519(signature())) }
    }

    package mutating func header() -> Header {
        Header(
            height: counter(), view: counter(), epoch: counter(), parent: words(), proposer: u16(), time: counter(),
            transactionsRoot: words(), stateRoot: words(), receiptsRoot: words(), gasUsed: u64(), reveal: words(),
            randomness: words(), activeSetHash: words(), nextSetHash: words(), parentCertificateHash: words())
    }

    package mutating func proposal() -> Proposal {
        Proposal(epoch: counter(), view: counter(), parentView: counter(), parentDigest: words(), digest: words())
    }

    package mutating func finalize() -> Finalize { Finalize(epoch: counter(), view: counter(), digest: words()) }

    package mutating func certificate<Subject: VoteSubject>(_ subject: Subject) -> Certificate<Subject>? {
        var signers: Set<UInt16> = []
        for _ in 0..<below(6) { signers.insert(UInt16(below(ChainLimits.masternodes))) }
        return Certificate(
            subject: subject, votes: shuffled(signers.sorted()).map { Vote(subject: subject, signer: $0, signature: signature()) })
    }

    package mutating func shuffled<Element>(_ elements: [Element]) -> [Element] {
        var result = elements
        for last in stride(from: result.count - 1, to: 0, by: -1) { result.swapAt(last, below(last + 1)) }
        return result
    }

    package mutating func parentCertificate() -> ParentCertificate {
        switch below(3) {
        case 0: .genesis
        case 1: certificate(proposal()).map { .notarization($0) } ?? .genesis
        default: certificate(finalize()).map { .finalization($0) } ?? .genesis
        }
    }

    package mutating func block() -> Block {
        Block(
            header: header(), parentCertificate: parentCertificate(),
            transactions: list(3) { $0.signedTransaction() }.compactMap { $0 })
    }

    package mutating func outcome() -> Outcome {
        switch below(3) {
        case 0: .succeeded
        case 1: .recorded
        default: .failure(text(300))
        }
    }

    package mutating func role() -> Role { Role.allCases[below(Role.allCases.count)] }
    package mutating func kind() -> Finding.Kind { Finding.Kind.allCases[below(Finding.Kind.allCases.count)] }

    package mutating func finding() -> Finding {
        let notes: [StaticString] = ["", "no budget left", "not joined"]
        return Finding(service: label(), role: role(), kind: kind(), weight: u64(), note: notes[below(3)])
    }

    package mutating func entry() -> HistoryEntry {
        let action = transaction().map { ActionRecord(transaction: $0, outcome: outcome(), gasUsed: u64()) }
        return HistoryEntry(
            index: u64(), height: counter(), time: counter(),
            content: maybe { _ in action }.flatMap { $0 }.map { .action($0) } ?? .finding(finding()))
    }

    package mutating func origin() -> Origin {
        switch below(3) {
        case 0: .transaction(words())
        case 1: .scheduled(contract: words(), number: u64())
        default: .border(counter())
        }
    }

    package mutating func receipt() -> Receipt {
        Receipt(
            origin: origin(), outcome: outcome(), gasUsed: u64(),
            events: list(3) { Event(contract: $0.words(), topic: $0.bytes($0.below(65)), data: $0.bytes($0.below(50))) }
                .compactMap { $0 },
            returned: words())
    }

    package mutating func frontier() -> MerkleFrontier {
        var frontier = MerkleFrontier()
        for _ in 0..<below(40) { frontier.append(words()) }
        return frontier
    }

    package mutating func record() -> AccountRecord {
        AccountRecord(
            sequence: u64(), balance: u128(), locked: u128(), deposit: u128(), sponsor: maybe { $0.words() }, lent: u128(),
            credits: u64(), creditTime: counter(), history: frontier())
    }

    package mutating func masternode() -> Masternode {
        Masternode(name: text(40), consensusKey: words(), owner: words(), beaconTip: words())
    }

    package mutating func set() -> MasternodeSet? { try? MasternodeSet((0...below(4)).map { _ in masternode() }) }

    package mutating func status() -> MasternodeRecord.Status {
        switch below(5) {
        case 0: .active(from: counter())
        case 1: .suspended(in: counter())
        case 2: .leaving(in: counter(), unlocksAt: counter())
        case 3: .removed(in: counter(), unlocksAt: counter())
        default: .slashed(in: counter())
        }
    }

    package mutating func masternodeRecord() -> MasternodeRecord {
        MasternodeRecord(
            masternode: masternode(), collateral: u128(), status: status(), registeredAt: counter(), lastSeen: counter())
    }

    package mutating func change() -> Change {
        switch below(3) {
        case 0: .parameter(name: text(Change.longestName), value: u64())
        case 1: .removeMasternode(words())
        default: .upgrade(protocolVersion: u16())
        }
    }

    package mutating func proposalRecord() -> ProposalRecord {
        ProposalRecord(
            number: u64(), proposer: words(), change: change(), from: counter(), proposedIn: counter(),
            approvals: list(5) { $0.words() }, rejections: list(5) { $0.words() },
            outcome: ProposalRecord.Outcome(rawValue: UInt8(below(5))) ?? .open)
    }

    package mutating func epochProgress() -> EpochProgress {
        var progress = EpochProgress(
            epoch: counter(), startHeight: counter(), startTime: counter(), protocolVersion: u16())
        for _ in 0..<below(6) { progress.see(UInt16(below(ChainLimits.masternodes))) }
        return progress
    }

    /// Nil where the votes contradict nothing.
    package mutating func evidence() -> Evidence? {
        let (epoch, view, signer): (Epoch, View, UInt16) = (counter(), counter(), u16())
        func vote<Subject: VoteSubject>(_ subject: Subject, _ generator: inout SeededGenerator) -> Vote<Subject> {
            Vote(subject: subject, signer: signer, signature: generator.signature())
        }
        let first = vote(Finalize(epoch: epoch, view: view, digest: words()), &self)
        return flag()
            ? Evidence(first, vote(Finalize(epoch: epoch, view: view, digest: words()), &self))
            : Evidence(vote(Nullify(epoch: epoch, view: view), &self), first)
    }

    package mutating func parameters() -> Parameters {
        var parameters = Parameters()
        parameters.networkDelayMs = 1 + next() >> 20
        parameters.blockBytes = 100_000 + UInt32(below(1_000_000))
        parameters.gasPerTransaction = u64()
        parameters.depositPerByte = u64() >> 30
        parameters.scheduledCallsPerService = UInt32(truncatingIfNeeded: next())
        return parameters
    }

    package mutating func genesis() -> Genesis? {
        guard let set = try? MasternodeSet((0...below(4)).map { _ in masternode() }) else { return nil }
        return try? Genesis(
            chainName: "net-" + text(20), time: counter(), parameters: parameters(), masternodes: set,
            allocations: list(5) { .init(account: $0.words(), balance: UInt128($0.u64())) })
    }

    package mutating func sponsorship() -> Sponsorship {
        Sponsorship(
            creditsPerMember: u64(), creditsPerWindow: u64(), newcomers: UInt32(truncatingIfNeeded: next()))
    }

    package mutating func service() -> ServiceRecord {
        ServiceRecord(
            service: label(), contract: words(), owner: words(), codeHash: words(), kind: text(32),
            validator: maybe { $0.words() }, sponsorship: sponsorship(), registeredAt: counter(), notice: maybe { $0.notice() },
            offeredTo: maybe { $0.words() }, retiredAt: maybe { $0.counter() })
    }

    package mutating func notice() -> ServiceNotice {
        ServiceNotice(change: flag() ? .retire : .upgrade(codeHash: words()), from: counter(), until: counter())
    }

    package mutating func upgrade() -> UpgradeService {
        let steps: [UpgradeStep] = [.announce(codeHash: words()), .apply(codeHash: words(), data: bytes(below(20))), .withdraw]
        return UpgradeService(service: label(), step: steps[below(3)])
    }

    package mutating func handOver() -> TransferService {
        let steps: [TransferStep] = [.offer(to: words()), .accept(record: words()), .withdraw]
        return TransferService(service: label(), step: steps[below(3)])
    }

    package mutating func retirement() -> RetireService {
        RetireService(service: label(), step: RetireStep(rawValue: UInt8(below(3))) ?? .announce)
    }

    package mutating func registration() -> RegisterService {
        RegisterService(
            service: label(), codeHash: words(), kind: text(32), validator: maybe { $0.words() },
            initData: bytes(below(30)))
    }
}

extension Signature {
    package static var blank: Signature {
        guard let signature = Signature([UInt8](repeating: 0, count: byteCount)) else { preconditionFailure("64 bytes") }
        return signature
    }
}
