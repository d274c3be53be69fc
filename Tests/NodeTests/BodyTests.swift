import Consensus
import Cryptography
import NodeCore
import Primitives
import Simulation
import Testing

/// Bodies of proposals, from leaders and from whoever pretends to be one.
@Suite(.timeLimit(.minutes(20))) struct BodyTests {
    let cast: Cast

    init() throws { cast = try Cast.of(4, realSignatures: false) }

    /// A block of this view on the genesis, with roots and times that nobody has checked.
    private func block(
        view: UInt64, proposer: UInt16? = nil, noise: UInt8 = 0, height: UInt64 = 1, parent: Digest = .zero
    ) -> Block {
        let header = Header(
            height: Height(height), view: View(view), epoch: .zero, parent: parent,
            proposer: proposer ?? cast.leaders.leader(of: View(view)), time: Cast.genesisTime.next,
            transactionsRoot: Block.transactionsRoot([]), stateRoot: Digest(sha256: [noise]), receiptsRoot: .zero,
            gasUsed: 0, reveal: .zero, randomness: .zero, activeSetHash: .zero, nextSetHash: .zero,
            parentCertificateHash: ParentCertificate.genesis.hash)
        return Block(header: header, parentCertificate: .genesis, transactions: [])
    }

    private func bodies(_ bench: Bench) -> Int { bench.machine.pools.first?.count ?? -1 }

    @Test func onlyTheLeadersOwnBodiesAreTakenUnasked() throws {
        let bench = try Bench(cast, masternode: 0)
        let leader = cast.leaders.leader(of: View(2))
        let other = (0..<4 as Range<UInt16>).first { $0 != leader } ?? 0
        bench.receive(.body(block(view: 2)), from: cast.peer(other))
        bench.receive(.body(block(view: 2)), from: .follower(1))
        bench.receive(.body(block(view: 2, proposer: other)), from: cast.peer(other))
        bench.receive(.body(block(view: 60)), from: cast.peer(cast.leaders.leader(of: View(60))))
        bench.receive(.body(block(view: 2, height: 0)), from: cast.peer(leader))
        #expect(bodies(bench) == 0)
        for noise in 0..<10 as Range<UInt8> {
            bench.receive(.body(block(view: 2, noise: noise)), from: cast.peer(leader))
        }
        #expect(bodies(bench) == 2)
    }

    /// A body of a height that no chain of views leads to would never be forgotten.
    @Test func bodiesFarAboveTheHeadAreNotTaken() throws {
        let bench = try Bench(cast, masternode: 0)
        for view in 1...9 as ClosedRange<UInt64> {
            let leader = cast.peer(cast.leaders.leader(of: View(view)))
            bench.receive(.body(block(view: view, height: view + 1)), from: leader)
            bench.receive(.body(block(view: view, height: .max)), from: leader)
        }
        #expect(bodies(bench) == 0)
        bench.receive(.body(block(view: 3, height: 3)), from: cast.peer(cast.leaders.leader(of: View(3))))
        #expect(bodies(bench) == 1)
    }

    @Test func aBodyThatItsHeaderDoesNotBindIsRefused() throws {
        let bench = try Bench(cast, masternode: 0)
        let genuine = block(view: 1)
        let leader = cast.peer(cast.leaders.leader(of: View(1)))
        let stuffed = Block(
            header: genuine.header, parentCertificate: .genesis,
            transactions: [try Bench.record(cast, sequence: 0)])
        bench.receive(.body(stuffed), from: leader)
        #expect(bodies(bench) == 0 && bench.misbehaviours == 1)
        bench.receive(.body(genuine), from: leader)
        #expect(bodies(bench) == 1)
    }

    /// A leader can't propose the block of another view: what its body says of the view must be what the vote says.
    @Test func theBodyOfAnotherViewIsNoProposals() throws {
        let leaders = ([1, 2] as [UInt64]).map { cast.leaders.leader(of: View($0)) }
        let me = try #require((0..<4 as Range<UInt16>).first { !leaders.contains($0) })
        let bench = try Bench(cast, masternode: me)
        let genesis = bench.machine.head.digest
        let body = block(view: 2, parent: genesis)
        bench.receive(.body(body), from: cast.peer(leaders[1]))
        #expect(bodies(bench) == 1)
        let subject = Proposal(
            epoch: .zero, view: View(1), parentView: .zero, parentDigest: genesis,
            digest: body.header.digest(genesis: cast.genesisHash))
        let vote = try cast.keys[Int(leaders[0])].vote(subject, by: leaders[0], genesis: cast.genesisHash)
        bench.receive(.consensus(.notarizeVote(vote)), from: cast.peer(leaders[0]))
        let reasons = bench.notes.compactMap { if case .rejectedProposal(View(1), let reason) = $0 { reason } else { nil } }
        #expect(reasons == ["the body does not belong to the proposal"])
    }

    /// Whatever masternodes send, no pool outgrows its limit.
    @Test func floodsEndAtTheLimits() throws {
        var rules = NodeRules()
        rules.candidateBlocks = 12
        let bench = try Bench(cast, masternode: 0, rules: rules)
        for view in 1...9 as ClosedRange<UInt64> {
            let leader = cast.leaders.leader(of: View(view))
            for noise in 0..<4 as Range<UInt8> {
                bench.receive(.body(block(view: view, noise: noise)), from: cast.peer(leader))
                // Unknown parents and bodies are asked for, so many at a time.
                let subject = Proposal(
                    epoch: .zero, view: View(view), parentView: .zero, parentDigest: .zero,
                    digest: Digest(sha256: [noise, UInt8(view)]))
                if leader != 0 {
                    let vote = try cast.keys[Int(leader)].vote(subject, by: leader, genesis: cast.genesisHash)
                    bench.receive(.consensus(.notarizeVote(vote)), from: cast.peer(leader))
                }
            }
        }
        for number in 0..<2_000 as Range<UInt64> {
            bench.receive(.wantBody(Digest(sha256: [UInt8(number % 251)])), from: cast.peer(1))
            bench.receive(.wantBlocks(from: Height(number), count: .max), from: cast.peer(1))
        }
        for pool in bench.machine.pools { #expect(pool.count <= pool.limit, "\(pool.name)") }
        #expect(bench.halts.isEmpty)
    }

    /// A journal of times when the limit was higher, say.
    @Test func aJournalFillsThePoolToItsLimit() throws {
        var rules = NodeRules()
        rules.candidateBlocks = 3
        let kept = (1...9 as ClosedRange<UInt64>).map { JournalEntry.body(block(view: $0)) }
        let bench = try Bench(cast, masternode: 0, journal: Bench.home + kept, rules: rules)
        #expect(bodies(bench) == 3)
    }
}
