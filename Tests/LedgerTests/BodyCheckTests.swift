import Cryptography
import Encoding
import Ledger
import Primitives
import Testing

@Suite(.timeLimit(.minutes(20))) struct BodyCheckTests {
    private let alice: User
    private var chain: TestChain

    init() throws {
        alice = try User("alice")
        chain = try TestChain([alice])
        try chain.send(alice, service: "s", .distributeTask)
    }

    /// A copy of the block whose header differs in the fields given.
    private func changed(
        _ block: Block, height: Height? = nil, view: View? = nil, epoch: Epoch? = nil, parent: Digest? = nil,
        proposer: UInt16? = nil, time: Time? = nil, transactionsRoot: Digest? = nil, stateRoot: Digest? = nil,
        receiptsRoot: Digest? = nil, gasUsed: UInt64? = nil, reveal: Digest? = nil, randomness: Digest? = nil,
        activeSetHash: Digest? = nil, nextSetHash: Digest? = nil, parentCertificateHash: Digest? = nil,
        certificate: ParentCertificate? = nil
    ) -> Block {
        let old = block.header
        let header = Header(
            height: height ?? old.height, view: view ?? old.view, epoch: epoch ?? old.epoch,
            parent: parent ?? old.parent, proposer: proposer ?? old.proposer, time: time ?? old.time,
            transactionsRoot: transactionsRoot ?? old.transactionsRoot, stateRoot: stateRoot ?? old.stateRoot,
            receiptsRoot: receiptsRoot ?? old.receiptsRoot, gasUsed: gasUsed ?? old.gasUsed,
            reveal: reveal ?? old.reveal, randomness: randomness ?? old.randomness,
            activeSetHash: activeSetHash ?? old.activeSetHash, nextSetHash: nextSetHash ?? old.nextSetHash,
            parentCertificateHash: parentCertificateHash ?? certificate?.hash ?? old.parentCertificateHash)
        return Block(
            header: header, parentCertificate: certificate ?? block.parentCertificate,
            transactions: block.transactions)
    }

    @Test func everyHeaderFieldIsChecked() throws {
        let good = chain.block([try chain.transaction(alice, service: "s", .distributeTask)])
        guard case .valid = try chain.check(good) else { throw BlockIsInvalid() }
        let parent = chain.parent
        let zero = Digest.zero
        let expected: [(Block, BlockError)] = [
            (changed(good, height: Height(3)), .height(Height(3), expected: Height(2))),
            (changed(good, view: parent.view), .view(parent.view, parent: parent.view)),
            (changed(good, epoch: Epoch(7)), .epoch(Epoch(7), expected: Epoch(0))),
            (changed(good, parent: zero), .parent(zero, expected: parent.digest)),
            (changed(good, proposer: 1), .proposer(1, expected: 0)),
            (changed(good, time: parent.time), .time(parent.time, parent: parent.time)),
            (changed(good, transactionsRoot: zero), .transactionsRoot),
            (changed(good, stateRoot: zero), .stateRoot(zero, expected: parent.stateRoot)),
            (changed(good, receiptsRoot: zero), .receiptsRoot(zero, expected: parent.receiptsRoot)),
            (changed(good, gasUsed: 1), .gasUsed(1, expected: parent.gasUsed)),
            (changed(good, reveal: zero), .reveal),
            (changed(good, randomness: zero), .randomness),
            (changed(good, activeSetHash: zero), .masternodeSet),
            (changed(good, nextSetHash: zero), .masternodeSet),
            (changed(good, parentCertificateHash: zero), .parentCertificate("its hash is not the header's")),
            (changed(good, certificate: .genesis), .parentCertificate("it is missing")),
        ]
        for (block, error) in expected { #expect(try chain.check(block) == .invalid(error)) }
        // A reveal that was shown before is none any more.
        let old = try #require(chain.lastBlock).header.reveal
        #expect(try chain.check(changed(good, reveal: old)) == .invalid(.reveal))
    }

    @Test func theParentCertificateMustProveTheParent() throws {
        let good = chain.block([])
        guard case .notarization(let certificate) = chain.certificate else { throw BlockIsInvalid() }
        let other = Proposal(
            epoch: certificate.subject.epoch, view: certificate.subject.view, parentView: .zero, parentDigest: .zero,
            digest: Digest(sha256: [9]))
        let signature = try chain.masternode.key.sign(other, domain: .notarize, genesis: chain.ledger.genesisHash)
        let strange = try #require(
            Notarization(subject: other, votes: [Vote(subject: other, signer: 0, signature: signature)]))
        #expect(
            try chain.check(changed(good, certificate: .notarization(strange)))
                == .invalid(.parentCertificate("it is about another block")))
        let forged = try #require(
            Notarization(
                subject: certificate.subject,
                votes: [Vote(subject: certificate.subject, signer: 0, signature: signature)]))
        #expect(
            try chain.check(changed(good, certificate: .notarization(forged)))
                == .invalid(.parentCertificate(CertificateError.wrongSignature(0).description)))
        let empty = try #require(Notarization(subject: certificate.subject, votes: []))
        guard case .invalid(.parentCertificate) = try chain.check(changed(good, certificate: .notarization(empty))) else {
            throw BlockIsInvalid()
        }
        let fresh = try TestChain([alice])
        let first = fresh.block([])
        guard case .valid = try fresh.check(first) else { throw BlockIsInvalid() }
        #expect(
            try fresh.check(changed(first, certificate: chain.certificate))
                == .invalid(.parentCertificate("the genesis has none")))
    }

    @Test func blocksAreBounded() throws {
        var parameters = Parameters()
        parameters.blockBytes = 100_000
        // Enough for one, too little for two.
        let each = parameters.intrinsicGas(dataBytes: 60_000)
        parameters.blockGas = each + each / 2
        parameters.transactionGas = each + each / 2
        let bounded = try TestChain([alice], parameters: parameters)
        let two = try (0..<2 as Range<UInt64>).map {
            try bounded.transaction(
                alice, service: "s", .distributeTask, data: Array(repeating: 1, count: 60_000), gas: each, ahead: $0)
        }
        guard case .invalid(.oversize) = try bounded.check(bounded.block(two)) else { throw BlockIsInvalid() }
        let small = try (0..<2 as Range<UInt64>).map {
            try bounded.transaction(alice, service: "s", .distributeTask, gas: each, ahead: $0)
        }
        #expect(try bounded.check(bounded.block(small)) == .invalid(.gasOverLimit(parameters.blockGas)))
        let chosen = try bounded.ledger.selectTransactions(
            from: small, state: bounded.state, time: bounded.time.advanced(by: 1_000), certificate: .genesis)
        #expect(chosen.transactions.count == 1 && chosen.gasLimit == each && chosen.refused.isEmpty)

        // Where the gas would do, the bytes decide.
        parameters.blockGas = 3 * each
        let roomy = try TestChain([alice], parameters: parameters)
        let large = try (0..<2 as Range<UInt64>).map {
            try roomy.transaction(
                alice, service: "s", .distributeTask, data: Array(repeating: 1, count: 60_000), gas: each, ahead: $0)
        }
        let fitting = try roomy.ledger.selectTransactions(
            from: large, state: roomy.state, time: roomy.time.advanced(by: 1_000), certificate: .genesis)
        #expect(fitting.transactions.count == 1 && fitting.refused.isEmpty)
    }

    /// A proposer whose time is up proposes what it has executed, and says what took so long; the block is as good as one
    /// that was chosen by gas alone.
    @Test func aProposerStopsWhenItsTimeIsUp() throws {
        let chain = try TestChain([alice])
        let three = try (0..<3 as Range<UInt64>).map {
            try chain.transaction(alice, service: "s", .distributeTask, ahead: $0)
        }
        let header = chain.block([]).header
        let frame = BlockFrame(
            height: header.height, time: header.time, proposer: header.proposer, reveal: header.reveal,
            randomness: header.randomness, parentCertificate: chain.certificate)
        for most in 1...3 {
            var asked = 0
            let (selection, execution) = try chain.ledger.propose(
                from: three, frame: frame, state: chain.state, context: chain.context
            ) { changes in
                asked += 1
                // Each sends from the same account.
                #expect(changes > 0)
                return asked < most
            }
            #expect(selection.transactions == Array(three.prefix(most)))
            #expect(selection.stoppedAt == three[most - 1].transaction.id(genesis: chain.ledger.genesisHash))
            let block = chain.block(selection.transactions)
            #expect(block.header.transactionsRoot == selection.transactionsRoot)
            guard case .valid = try chain.check(block) else { throw BlockIsInvalid() }
            let executed = try chain.ledger.execute(block, state: chain.state)
            #expect(executed.delta == execution.delta && executed.receiptsRoot == execution.receiptsRoot)
        }
    }

    @Test func creditsAreReservedOverTheWholeBlock() throws {
        var parameters = Parameters()
        // The balance of 10^12 is worth 12 million credits.
        parameters.balancePerCredit = 1_000_000_000_000 / 12_000_000
        let tight = try TestChain([alice], parameters: parameters)
        let three = try (0..<3 as Range<UInt64>).map {
            try tight.transaction(alice, service: "s", .distributeTask, gas: 5_000_000, ahead: $0)
        }
        guard case .invalid(.transaction(2, .tooFewCredits)) = try tight.check(tight.block(three)) else {
            throw BlockIsInvalid()
        }
        let chosen = try tight.ledger.selectTransactions(
            from: three, state: tight.state, time: tight.time.advanced(by: 1_000), certificate: .genesis)
        // The third has no business in a pool: nothing makes it possible soon.
        #expect(chosen.transactions.count == 2 && chosen.refused.count == 1)
    }
}
