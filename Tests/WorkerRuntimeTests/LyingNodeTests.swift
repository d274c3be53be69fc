import Audit
import Cryptography
import Encoding
import Foundation
import JobProtocol
import Primitives
import StateTree
import Synchronization
import Testing
import WorkerRuntime

/// A node that names another KEM key for a worker than the chain holds, and would read what is sealed for him.
@Suite(.timeLimit(.minutes(20))) struct LyingNodeTests {
    /// The certified state: what the job's contract keeps of two workers, finalised by three masternodes of four.
    private struct Certified {
        let genesis: Genesis
        private let keys: [PrivateKey]
        private let members: [Person]

        struct Nodes: PageReader {
            var all: [NodeKey: [UInt8]] = [:]
            func page(_ key: NodeKey) -> [UInt8]? { all[key] }
        }

        init(_ members: [Person]) throws {
            self.members = members
            keys = try (0..<4).map { try #require(PrivateKey(seed: Digest(sha256: [UInt8($0)]).bytes)) }
            let set = try MasternodeSet(
                keys.enumerated().map {
                    Masternode(
                        name: "m\($0)", consensusKey: $1.publicKey, owner: Account($1.publicKey), beaconTip: .zero)
                })
            genesis = try Genesis(
                chainName: "test", time: Time(1), parameters: Parameters(), masternodes: set, allocations: [])
        }

        private func stored(_ person: Person, kem: KEMPublicKey) -> [UInt8] {
            let participant = Participant(
                JobApplication(role: .edge, samples: 1), account: person.account, bond: 0, at: 0)
            participant.kemPublicKey = kem
            participant.endpoint = "127.0.0.1:1"
            return participant.borsh
        }

        /// An answer to a request for these keys.
        /// - Parameters:
        ///   - lie: a KEM key that is put into the answer in place of the first member's.
        ///   - renewed: the first member's key in the state itself.
        func answer(
            _ asked: [StateKey], height: UInt64 = 5, lie: KEMPublicKey? = nil, renewed: KEMPublicKey? = nil,
            signers: Int = 3
        ) throws -> [UInt8] {
            var values: [StateKey: [UInt8]] = [.scheduleSlot(1): [1]]
            for (slot, member) in members.enumerated() {
                values[CertifiedParticipants.key(contract: testJob, slot: UInt8(slot))] = stored(
                    member, kem: slot == 0 ? renewed ?? member.kem.publicKey : member.kem.publicKey)
            }
            var nodes = Nodes()
            let update = try StateTree.update(
                reader: nodes, changes: values.map { ($0.key.path, StateTree.valueHash($0.value)) })
            for (key, bytes) in update.puts { nodes.all[key] = bytes }
            let header = Header(
                height: Height(height), view: View(height), epoch: .zero, parent: .zero, proposer: 0,
                time: Time(height),
                transactionsRoot: .zero, stateRoot: update.root, receiptsRoot: .zero, gasUsed: 0, reveal: .zero,
                randomness: .zero, activeSetHash: genesis.masternodes.hash, nextSetHash: genesis.masternodes.hash,
                parentCertificateHash: .zero)
            let subject = Finalize(epoch: .zero, view: header.view, digest: header.digest(genesis: genesis.hash))
            let votes = try (0..<signers).map {
                Vote(
                    subject: subject, signer: UInt16($0),
                    signature: try keys[$0].sign(subject, domain: .finalize, genesis: genesis.hash))
            }
            return StateExtract(
                genesisHash: genesis.hash, links: [], header: header,
                finalization: try #require(Finalization(subject: subject, votes: votes)),
                entries: try asked.map { key in
                    var value = values[key]
                    if let lie, key == asked[0] { value = stored(members[0], kem: lie) }
                    return StateExtract.Entry(
                        key: key.bytes, value: value, proof: try StateTree.prove(reader: nodes, path: key.path).proof)
                }
            ).borsh
        }
    }

    private final class Said: Sendable {
        private let texts = Mutex<[String]>([])
        var all: [String] { texts.withLock { $0 } }
        func note(_ event: WorkerEvent) {
            if case .warning(let text) = event { texts.withLock { $0.append(text) } }
        }
    }

    private let edge: Person
    private let other: Person
    private let spy: Person
    private let certified: Certified

    init() throws {
        (edge, other, spy) = (try Person("edge"), try Person("other"), try Person("spy"))
        certified = try Certified([edge, other])
    }

    private func told(_ key: KEMPublicKey) -> [JobParticipant] {
        [edge.participant(.edge).naming(key), other.participant(.edge, index: 1, slot: 1)]
    }

    @Test func aSwappedKeyIsNotUsed() async throws {
        let said = Said()
        let certified = certified
        let reader = CertifiedReader(
            genesis: certified.genesis, nodes: 1, ask: { try certified.answer($0) }, report: { said.note($0) })
        let participants = CertifiedParticipants(
            contract: testJob, own: try Person("cloud").account,
            read: { try await reader.read($0, now: Date(timeIntervalSince1970: 0)) }, report: { said.note($0) })
        let found = try await participants.certify(told(spy.kem.publicKey), after: 4)
        #expect(found.map(\.kemPublicKey) == [edge.kem.publicKey, other.kem.publicKey])
        #expect(said.all.count == 1 && said.all.first?.contains(edge.account.short) == true, "\(said.all)")
        // Nor in any later answer, and it is said once.
        #expect(try await participants.certify(told(spy.kem.publicKey), after: 4).first?.kemPublicKey == edge.kem.publicKey)
        #expect(said.all.count == 1)
        #expect(try await participants.certify(told(edge.kem.publicKey), after: 4).count == 2)
    }

    /// A certified state that the chain has come to, and what it holds of the first member.
    private final class Moment: Sendable {
        private let now: Mutex<(height: UInt64, key: KEMPublicKey)>

        init(_ height: UInt64, _ key: KEMPublicKey) { now = Mutex((height, key)) }

        func set(_ height: UInt64, _ key: KEMPublicKey) { now.withLock { $0 = (height, key) } }
        var value: (height: UInt64, key: KEMPublicKey) { now.withLock { $0 } }
    }

    private func participants(_ moment: Moment, _ said: Said) throws -> (CertifiedReader, CertifiedParticipants) {
        let certified = certified
        let reader = CertifiedReader(
            genesis: certified.genesis, nodes: 1,
            ask: { keys in
                let (height, key) = moment.value
                return try certified.answer(keys, height: height, renewed: key)
            }, report: { said.note($0) })
        let participants = CertifiedParticipants(
            contract: testJob, own: try Person("cloud").account,
            read: { try await reader.read($0, now: Date(timeIntervalSince1970: 0)) }, report: { said.note($0) })
        return (reader, participants)
    }

    /// The header of height 6 carries the state after block 5.
    @Test func whoHasJustRenewedHisKeyMakesNoNodeALiar() async throws {
        let (old, new, said) = (edge.kem.publicKey, spy.kem.publicKey, Said())
        let moment = Moment(5, old)
        let (_, participants) = try participants(moment, said)
        func certified(_ key: KEMPublicKey, after block: UInt64) async throws -> KEMPublicKey? {
            try await participants.certify(told(key), after: block).first?.kemPublicKey
        }
        #expect(try await certified(old, after: 4) == old)
        // Renewed in block 5, whose state no header carries yet.
        #expect(try await certified(new, after: 5) == old)
        moment.set(6, new)
        #expect(try await certified(new, after: 5) == new)
        // An answer of before, which the certified state has overtaken.
        #expect(try await certified(old, after: 4) == new)
        #expect(said.all.isEmpty, "\(said.all)")
        // The old key after block 6 is a lie, and known to be one once the state after block 6 is certified, whoever answers
        // by then.
        #expect(try await certified(old, after: 6) == new)
        #expect(said.all.isEmpty, "\(said.all)")
        moment.set(7, new)
        #expect(try await certified(new, after: 7) == new)
        #expect(said.all.count == 1 && said.all.first?.contains(edge.account.short) == true, "\(said.all)")
    }

    /// Who reads what the contract keeps before he asks a node sees through its first answer, also where the chain has gone
    /// on in between.
    @Test func theFirstLieIsNoticed() async throws {
        let (key, said) = (edge.kem.publicKey, Said())
        let moment = Moment(5, key)
        let (reader, participants) = try participants(moment, said)
        let unknown = participants.unknownKeys
        #expect(unknown.count == 64 && Set(unknown).count == 64)
        participants.note(try await reader.read(unknown, now: Date(timeIntervalSince1970: 0)), at: unknown)
        #expect(participants.unknownKeys.isEmpty)
        moment.set(9, key)
        #expect(try await participants.certify(told(spy.kem.publicKey), after: 6).first?.kemPublicKey == key)
        #expect(said.all.count == 1, "\(said.all)")
    }

    /// A node that speaks of a block that is far from there would make all honest answers after it look old.
    @Test func noNodeTurnsTheClockForward() async throws {
        let moment = Moment(5, edge.kem.publicKey)
        let (reader, _) = try participants(moment, Said())
        let now = Date(timeIntervalSince1970: 0)
        #expect(try await reader.allows(block: 5 + WorkerLimits.blocksAhead, now: now))
        #expect(try await !reader.allows(block: 6 + WorkerLimits.blocksAhead, now: now))
        #expect(try await !reader.allows(block: .max, now: now))
        // The worker has slept, and the chain has not.
        moment.set(90_000, edge.kem.publicKey)
        #expect(try await reader.allows(block: 90_001, now: now))
        #expect(try await !reader.allows(block: .max, now: now))
    }

    @Test func aMemberThatTheChainDoesNotKnowIsNone() async throws {
        let certified = certified
        let reader = CertifiedReader(genesis: certified.genesis, nodes: 1, ask: { try certified.answer($0) })
        let participants = CertifiedParticipants(contract: testJob, own: try Person("cloud").account) {
            try await reader.read($0, now: Date(timeIntervalSince1970: 0))
        }
        let stranger = spy.participant(.edge, index: 2, slot: 2)
        let found = try await participants.certify(
            [edge.participant(.edge), other.participant(.edge, slot: 1), stranger], after: 4)
        #expect(found.map(\.account) == [edge.account, other.account])
        // In the place of somebody else it is none either.
        #expect(
            try await participants.certify([spy.participant(.edge), other.participant(.edge, slot: 1)], after: 4)
                .map(\.account)
                == [other.account])
    }

    /// A node that names another endpoint or key for the worker itself would end it, if it were believed.
    @Test func whoHasAPlaceTheStateSaysAlone() async throws {
        let certified = certified
        let reader = CertifiedReader(genesis: certified.genesis, nodes: 1, ask: { try certified.answer($0) })
        let participants = CertifiedParticipants(contract: testJob, own: edge.account) {
            try await reader.read($0, now: Date(timeIntervalSince1970: 0))
        }
        let own = CertifiedParticipants.Identity(kemPublicKey: edge.kem.publicKey, endpoint: "127.0.0.1:1")
        #expect(try await participants.identity(of: edge.account, at: 0) == own)
        #expect(try await participants.identity(of: edge.account, at: 1) == nil, "somebody else's slot")
        #expect(try await participants.identity(of: edge.account, at: 7) == nil, "nobody's slot")
    }

    @Test func aForgedAnswerSendsTheWorkerToAnotherNode() async throws {
        let said = Said()
        let certified = certified
        let spy = spy.kem.publicKey
        let turn = Mutex(0)
        let reader = CertifiedReader(
            genesis: certified.genesis, nodes: 3,
            ask: { keys in
                // The first lies in the proof, the second has no quorum, the third is honest.
                switch turn.withLock({ $0 }) {
                case 0: try certified.answer(keys, lie: spy)
                case 1: try certified.answer(keys, signers: 2)
                default: try certified.answer(keys)
                }
            }, distrust: { turn.withLock { $0 += 1 } }, report: { said.note($0) })
        let key = CertifiedParticipants.key(contract: testJob, slot: 0)
        #expect(try await reader.read([key], now: Date(timeIntervalSince1970: 0))[key] != nil)
        #expect(turn.withLock { $0 } == 2)
        #expect(said.all.count == 2)
    }

    @Test func liarsAloneEndIt() async throws {
        let certified = certified
        let spy = spy.kem.publicKey
        let reader = CertifiedReader(
            genesis: certified.genesis, nodes: 2, ask: { try certified.answer($0, lie: spy) })
        await #expect(throws: WorkerError.self) {
            _ = try await reader.read([CertifiedParticipants.key(contract: testJob, slot: 0)])
        }
    }

    @Test func oldNewsIsNoNews() async throws {
        let certified = certified
        let height = Mutex<UInt64>(9)
        let reader = CertifiedReader(
            genesis: certified.genesis, nodes: 1, ask: { try certified.answer($0, height: height.withLock { $0 }) })
        let key = CertifiedParticipants.key(contract: testJob, slot: 0)
        _ = try await reader.read([key])
        height.withLock { $0 = 8 }
        await #expect(throws: WorkerError.self) { _ = try await reader.read([key]) }
        height.withLock { $0 = 10 }
        _ = try await reader.read([key])
    }
}

extension JobParticipant {
    fileprivate func naming(_ key: KEMPublicKey) -> JobParticipant {
        JobParticipant(
            slot: slot, account: account, role: role, standing: standing, index: index, samples: samples,
            kemPublicKey: key, endpoint: endpoint, committed: committed, revealed: revealed, misses: misses,
            acceptedRounds: acceptedRounds, lastRoot: lastRoot, lastArtifact: lastArtifact)
    }
}
