import Cryptography
import Encoding
import Foundation
import Primitives
import Samples
import TestSupport
import Testing

/// A set with keys made from small numbers.
struct KeyedSet {
    let keys: [PrivateKey]
    let set: MasternodeSet
    let genesis = Digest(sha256: [42])

    init(_ count: Int) throws {
        keys = (0..<count).compactMap { PrivateKey(seed: Digest(sha256: [UInt8($0)]).bytes) }
        set = try MasternodeSet(
            keys.enumerated().map {
                Masternode(
                    name: "m\($0)", consensusKey: $1.publicKey, owner: Account($1.publicKey), beaconTip: Digest(sha256: []))
            })
    }

    func vote<Subject: VoteSubject>(_ subject: Subject, _ signer: Int) throws -> Vote<Subject> {
        Vote(
            subject: subject, signer: UInt16(signer),
            signature: try keys[signer].sign(subject, domain: Subject.domain, genesis: genesis))
    }
}

@Suite(.timeLimit(.minutes(20))) struct MasternodeSetTests {
    @Test func quorums() throws {
        let table = [(0, 1), (0, 2), (0, 3), (1, 3), (1, 4), (1, 5), (2, 5), (2, 6), (2, 7), (3, 7)]
        for (index, (faults, quorum)) in table.enumerated() {
            let set = try KeyedSet(index + 1).set
            #expect(set.faultTolerance == faults && set.quorum == quorum, "n = \(index + 1)")
            // Two quorums share an honest member, and the honest alone are one.
            #expect(2 * set.quorum - set.count > set.faultTolerance)
            #expect(set.count - set.faultTolerance >= set.quorum)
        }
    }

    @Test func refusals() throws {
        let keyed = try KeyedSet(3)
        #expect(throws: MasternodeSetError.empty) { try MasternodeSet([]) }
        #expect(throws: MasternodeSetError.duplicateKey(keyed.keys[0].publicKey)) {
            try MasternodeSet(keyed.set.members + [keyed.set.members[0]])
        }
        var generator = SeededGenerator(seed: 1)
        #expect(throws: MasternodeSetError.tooMany(513)) { try MasternodeSet((0..<513).map { _ in generator.masternode() }) }
        #expect(keyed.set.member(3) == nil && keyed.set.member(.max) == nil)
        #expect(keyed.set.index(of: keyed.keys[2].publicKey) == 2 && keyed.set.index(of: .zero) == nil)
    }

    @Test func leadersAreFairAndDrawn() throws {
        for count in [1, 2, 4, 7, 100, 512] {
            let schedule = LeaderSchedule(count: count, seed: Digest(sha256: [1]))
            for start in [0, 1, 5, count * 3 + 1] {
                let leaders = (start..<start + count).map { schedule.leader(of: View(UInt64($0))) }
                #expect(leaders.sorted() == (0..<UInt16(count)).map { $0 }, "\(count) from \(start)")
            }
            #expect(schedule.leader(of: View(.max)) < count)
        }
        // Over many seeds every member leads the first view about equally often.
        var first = [Int](repeating: 0, count: 7)
        for seed in 0..<7_000 {
            first[Int(LeaderSchedule(count: 7, seed: Digest(sha256: UInt32(seed).borsh)).leader(of: .zero))] += 1
        }
        #expect(first.allSatisfy { (850...1_150).contains($0) }, "\(first)")
        #expect(LeaderSchedule(count: 0, seed: .zero).leader(of: View(9)) == 0)
        // The draw is part of the protocol.
        let order = (0..<7).map { LeaderSchedule(count: 7, seed: .zero).leader(of: View(UInt64($0))) }
        #expect(order == [2, 5, 4, 1, 3, 0, 6])
    }
}

@Suite(.timeLimit(.minutes(20))) struct CertificateTests {
    @Test func quorumsVerifyAndNothingElseDoes() throws {
        let keyed = try KeyedSet(7)
        let subject = Finalize(epoch: .zero, view: View(3), digest: Digest(sha256: [1]))
        func certificate(_ signers: [Int]) throws -> Finalization {
            try #require(Finalization(subject: subject, votes: signers.map { try keyed.vote(subject, $0) }))
        }
        for signers in [[0, 1, 2, 3, 4], [6, 4, 2, 0, 1], [0, 1, 2, 3, 4, 5, 6]] {
            try certificate(signers).verify(by: keyed.set, genesis: keyed.genesis)
        }
        #expect(throws: CertificateError.tooFewSigners(4, quorum: 5)) {
            try certificate([0, 1, 2, 3]).verify(by: keyed.set, genesis: keyed.genesis)
        }
        #expect(throws: CertificateError.tooFewSigners(0, quorum: 5)) {
            try certificate([]).verify(by: keyed.set, genesis: keyed.genesis)
        }
        let good = try certificate([0, 1, 2, 3, 4])
        #expect(throws: CertificateError.wrongSignature(0)) { try good.verify(by: keyed.set, genesis: .zero) }
        #expect(throws: CertificateError.wrongSignature(0)) {
            try good.verify(by: MasternodeSet(keyed.set.members.reversed()), genesis: keyed.genesis)
        }
        #expect(throws: CertificateError.unknownSigner(4)) {
            try good.verify(by: MasternodeSet(Array(keyed.set.members.prefix(4))), genesis: keyed.genesis)
        }
        // Signatures swapped between signers, of another subject, and of another kind of vote.
        var votes = try (0..<5).map { try keyed.vote(subject, $0) }
        votes[1] = Vote(subject: subject, signer: 1, signature: votes[2].signature)
        let swapped = try #require(Finalization(subject: subject, votes: votes))
        #expect(throws: CertificateError.wrongSignature(1)) { try swapped.verify(by: keyed.set, genesis: keyed.genesis) }
        let elsewhere = Finalize(epoch: .zero, view: View(4), digest: subject.digest)
        votes[1] = Vote(subject: subject, signer: 1, signature: try keyed.vote(elsewhere, 1).signature)
        let moved = try #require(Finalization(subject: subject, votes: votes))
        #expect(throws: CertificateError.wrongSignature(1)) { try moved.verify(by: keyed.set, genesis: keyed.genesis) }
        votes[1] = Vote(
            subject: subject, signer: 1,
            signature: try keyed.keys[1].sign(subject, domain: .notarize, genesis: keyed.genesis))
        let crossed = try #require(Finalization(subject: subject, votes: votes))
        #expect(throws: CertificateError.wrongSignature(1)) { try crossed.verify(by: keyed.set, genesis: keyed.genesis) }
    }

    @Test func parentCertificatesNameTheirBlock() throws {
        let keyed = try KeyedSet(4)
        let proposal = Proposal(epoch: .zero, view: View(2), parentView: View(1), parentDigest: .zero, digest: Digest(sha256: [5]))
        let votes = try (0..<3).map { try keyed.vote(proposal, $0) }
        let parent = ParentCertificate.notarization(try #require(Notarization(subject: proposal, votes: votes)))
        try parent.verify(by: keyed.set, genesis: keyed.genesis)
        #expect(parent.signers == [0, 1, 2])
        #expect(parent.proves(epoch: .zero, view: View(2), digest: proposal.digest))
        #expect(!parent.proves(epoch: Epoch(1), view: View(2), digest: proposal.digest))
        #expect(!parent.proves(epoch: .zero, view: View(3), digest: proposal.digest))
        #expect(!parent.proves(epoch: .zero, view: View(2), digest: .zero))
        #expect(!ParentCertificate.genesis.proves(epoch: .zero, view: View(1), digest: .zero))
        #expect(parent.hash != ParentCertificate.genesis.hash)
    }
}

@Suite(.timeLimit(.minutes(20))) struct GenesisTests {
    private func genesis() throws -> Genesis {
        let keyed = try KeyedSet(4)
        return try Genesis(
            chainName: "test", time: Time(1_700_000_000_000), parameters: Parameters(), masternodes: keyed.set,
            allocations: (0..<3).map { .init(account: Account(words: Digest(sha256: [$0]).words), balance: UInt128(1) << 100) })
    }

    @Test func documentsRoundTripAndCheckTheirHash() throws {
        let genesis = try genesis()
        let json = try GenesisDocument(genesis).encoded()
        #expect(try GenesisDocument.decode(json) == genesis)
        #expect(try Genesis(borsh: genesis.borsh) == genesis)
        var text = String(decoding: json, as: UTF8.self)
        #expect(text.contains("\"genesisHash\" : \"\(genesis.hash)\""))
        // Changes that leave it well formed change its hash; others are refused for themselves.
        for (from, to) in [
            ("\"time\" : \"1700000000000\"", "\"time\" : \"1700000000001\""), ("\"m1\"", "\"m9\""),
            ("\"blockGas\" : 250000000", "\"blockGas\" : 250000001"), ("\"blockGas\" : 250000000", "\"blockGas\" : 0"),
            ("\"test\"", "\"\""), ("edge1", "edge2"), ("\"time\" : \"1700000000000\"", "\"time\" : \"yesterday\""),
        ] {
            let changed = text.replacingOccurrences(of: from, with: to)
            #expect(changed != text, "\(from) is in the document")
            #expect(throws: (any Error).self, "\(from) -> \(to)") { try GenesisDocument.decode(Data(changed.utf8)) }
        }
        text = text.replacingOccurrences(of: "\"genesisHash\" : \"\(genesis.hash)\",", with: "")
        #expect(try GenesisDocument.decode(Data(text.utf8)) == genesis)
        for junk in ["", "{}", "[]", "null", "{\"chainName\": 1}"] {
            #expect(throws: GenesisError.self) { try GenesisDocument.decode(Data(junk.utf8)) }
        }
    }

    @Test func whatMakesNoGenesis() throws {
        let keyed = try KeyedSet(1)
        func make(name: String = "n", parameters: Parameters = Parameters(), _ balances: [(UInt8, UInt128)] = []) throws {
            _ = try Genesis(
                chainName: name, time: .zero, parameters: parameters, masternodes: keyed.set,
                allocations: balances.map { .init(account: Account(words: Digest(sha256: [$0.0]).words), balance: $0.1) })
        }
        try make([(2, 1), (1, 1)])
        #expect(throws: GenesisError.self) { try make(name: "") }
        #expect(throws: GenesisError.self) { try make(name: String(repeating: "n", count: 65)) }
        #expect(throws: GenesisError.self) { try make([(1, 1), (1, 2)]) }
        #expect(throws: GenesisError.self) { try make([(1, .max), (2, 1)]) }
        var parameters = Parameters()
        parameters.decayPeriodMs = 0
        #expect(throws: GenesisError.self) { try make(parameters: parameters) }
        // In bytes, the allocations must stand in order.
        var bytes = try genesis().borsh
        let tail = Array(bytes.suffix(3 * 48))
        bytes.replaceSubrange(bytes.count - 3 * 48..<bytes.count, with: tail[48..<96] + tail[0..<48] + tail[96...])
        #expect(throws: BorshError.self) { try Genesis(borsh: bytes) }
    }

    @Test func beaconLinksAndMixes() {
        let preimage = Digest(sha256: [1])
        #expect(Beacon.link(preimage) == Digest(sha256: Array("edgeproof/beacon-link/1".utf8) + preimage.bytes))
        #expect(Beacon.mix(.zero, reveal: preimage) != Beacon.mix(preimage, reveal: .zero))
    }
}
