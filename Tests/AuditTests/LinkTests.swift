import Audit
import Cryptography
import Encoding
import Primitives
import Testing

/// The walk of an auditor from the genesis' masternodes to later ones.
@Suite(.timeLimit(.minutes(20))) struct LinkTests {
    private let keys: [PrivateKey]
    private let genesis: Genesis

    init() throws {
        keys = try (0..<12).map { try #require(PrivateKey(seed: Digest(sha256: [9, UInt8($0)]).bytes)) }
        genesis = try Genesis(
            chainName: "links", time: Time(1), parameters: Parameters(), masternodes: Self.set(keys[0..<4]),
            allocations: [])
    }

    private static func set(_ keys: ArraySlice<PrivateKey>) throws -> MasternodeSet {
        try MasternodeSet(
            keys.map { Masternode(name: "m", consensusKey: $0.publicKey, owner: Account($0.publicKey), beaconTip: .zero) })
    }

    private func header(_ epoch: UInt64, active: MasternodeSet, next: MasternodeSet, view: UInt64 = 7, height: UInt64? = nil) -> Header {
        Header(
            height: Height(height ?? epoch &* 10 &+ 9), view: View(view), epoch: Epoch(epoch), parent: .zero, proposer: 0,
            time: Time(epoch &* 100 &+ 5), transactionsRoot: .zero, stateRoot: .zero, receiptsRoot: .zero, gasUsed: 0,
            reveal: .zero, randomness: .zero, activeSetHash: active.hash, nextSetHash: next.hash,
            parentCertificateHash: .zero)
    }

    private func finalization(
        _ header: Header, by keys: ArraySlice<PrivateKey>, view: UInt64? = nil, epoch: UInt64? = nil
    ) throws -> Finalization {
        let subject = Finalize(
            epoch: epoch.map { Epoch($0) } ?? header.epoch, view: view.map { View($0) } ?? header.view,
            digest: header.digest(genesis: genesis.hash))
        let votes = try keys.enumerated().map { place, key in
            Vote(
                subject: subject, signer: UInt16(place),
                signature: try key.sign(subject, domain: .finalize, genesis: genesis.hash))
        }
        return try #require(Finalization(subject: subject, votes: votes))
    }

    @Test func setsAreFollowedThroughTheirChanges() throws {
        let (first, second, third) = (try Self.set(keys[0..<4]), try Self.set(keys[2..<9]), try Self.set(keys[5..<9]))
        var trusted = TrustedSet(genesis: genesis)
        let one = header(3, active: first, next: second)
        try trusted.follow(EpochLink(header: one, finalization: finalization(one, by: keys[0..<3]), nextSet: second))
        #expect(trusted.set == second && trusted.epoch == Epoch(4))
        // A border block may have become final in a later view than its header's.
        let two = header(8, active: second, next: third)
        try trusted.follow(
            EpochLink(header: two, finalization: finalization(two, by: keys[2..<7], view: 12), nextSet: third))
        #expect(trusted.set == third && trusted.epoch == Epoch(9))
        // Any block of a later epoch with this set.
        let block = header(30, active: third, next: third)
        try trusted.check(block, finalization: finalization(block, by: keys[5..<8]))
    }

    @Test func whatProvesNoChange() throws {
        let (first, second) = (try Self.set(keys[0..<4]), try Self.set(keys[2..<9]))
        let good = header(3, active: first, next: second)
        let proof = try finalization(good, by: keys[0..<3])
        func refuses(_ expected: TrustError, _ link: EpochLink) {
            var trusted = TrustedSet(genesis: genesis)
            #expect(throws: expected) { try trusted.follow(link) }
            #expect(trusted.set == first && trusted.epoch == .zero)
        }
        refuses(
            .otherNextSet(good.height, header: second.hash, given: first.hash),
            EpochLink(header: good, finalization: proof, nextSet: first))
        let foreign = header(3, active: second, next: second)
        refuses(
            .otherSet(foreign.height, header: second.hash, trusted: first.hash),
            EpochLink(header: foreign, finalization: try finalization(foreign, by: keys[2..<7]), nextSet: second))
        refuses(
            .notFinalised(good.height, .tooFewSigners(2, quorum: 3)),
            EpochLink(header: good, finalization: try finalization(good, by: keys[0..<2]), nextSet: second))
        refuses(
            .notFinalised(good.height, .wrongSignature(0)),
            EpochLink(header: good, finalization: try finalization(good, by: keys[4..<7]), nextSet: second))
        for (view, epoch) in [(6, 3), (7, 2), (7, 4)] as [(UInt64, UInt64)] {
            refuses(
                .otherView(
                    good.height, header: ViewPlace(good.epoch, good.view), certificate: ViewPlace(Epoch(epoch), View(view))),
                EpochLink(
                    header: good, finalization: try finalization(good, by: keys[0..<3], view: view, epoch: epoch),
                    nextSet: second))
        }
        // After the last epoch that there can be comes none in which the next set would be trusted.
        let last = header(.max, active: first, next: second)
        refuses(
            .lastEpoch(last.height), EpochLink(header: last, finalization: try finalization(last, by: keys[0..<3]), nextSet: second))
        var trusted = TrustedSet(genesis: genesis)
        try trusted.follow(EpochLink(header: good, finalization: proof, nextSet: second))
        // A later epoch at a height that is not above the border.
        let below = header(9, active: second, next: second, height: good.height.value)
        #expect(throws: TrustError.heightBefore(good.height, trusted: good.height)) {
            try trusted.follow(EpochLink(header: below, finalization: finalization(below, by: keys[2..<7]), nextSet: second))
        }
        #expect(throws: TrustError.heightBefore(good.height, trusted: good.height)) {
            try trusted.check(below, finalization: finalization(below, by: keys[2..<7]))
        }
        let past = header(2, active: second, next: second)
        #expect(throws: TrustError.epochBefore(past.height, Epoch(2), trusted: Epoch(4))) {
            try trusted.check(past, finalization: finalization(past, by: keys[2..<7]))
        }
    }
}
