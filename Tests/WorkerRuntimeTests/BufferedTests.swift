import Cryptography
import JobProtocol
import Primitives
import Synchronization
import Testing
import Training
import WorkerRuntime

/// Asynchronous fog jobs: updates that wait in the cloud for a round that takes them.
@Suite(.timeLimit(.minutes(20))) struct BufferedTests {
    private func update(_ round: UInt32, _ index: UInt16 = 0, salt: UInt8 = 0) -> UpdateBuffer.Update {
        UpdateBuffer.Update(
            index: index, commitment: Digest(sha256: [UInt8(round), salt]),
            message: FogDifferenceMessage(round: round, samples: 1, loss: 0, difference: .dense([1])))
    }

    @Test func aBufferHoldsTheNewestOfEachAndUsesItOnce() async throws {
        let (one, other) = (try Person("one").account, try Person("other").account)
        let buffer = UpdateBuffer()
        #expect(await buffer.add(update(3), of: one))
        #expect(await !buffer.add(update(2), of: one), "it has a newer one")
        #expect(await buffer.add(update(3, salt: 1), of: one), "sealed anew for another key")
        #expect(await buffer.add(update(1, 1), of: other))
        #expect(await buffer.count == 2)
        // Only what the chain holds a commitment to, from the same place and the same start.
        #expect(await buffer.updates(of: [:]).isEmpty)
        for wrong in [FogCommitment(index: 1, base: 3), FogCommitment(index: 0, base: 2)] {
            #expect(await buffer.updates(of: [one: wrong]).isEmpty)
        }
        let found = await buffer.updates(of: [one: FogCommitment(index: 0, base: 3)])
        #expect(found.keys.map { $0 } == [one])
        await buffer.use(found)
        #expect(await !buffer.add(update(3), of: one), "no work counts twice")
        #expect(await buffer.add(update(4), of: one))
        // Too old, or of somebody who has left.
        await buffer.keepOnly([one, other], since: 2)
        #expect(await buffer.count == 1)
        await buffer.keepOnly([other], since: 2)
        #expect(await buffer.count == 0)
    }

    @Test func staleEnvelopesWaitInAnAsynchronousJobAlone() async throws {
        let (cloud, fog) = (try Person("cloud"), try Person("fog"))
        let inbox = Inbox()
        await inbox.begin(round: 5, stale: 3)
        func envelope(_ round: UInt32) throws -> Envelope { try fog.envelope(to: cloud, round: round, kind: .fogDifference) }
        #expect(await inbox.reserve(try envelope(1).head) == .had, "too old for any round")
        #expect(await inbox.reserve(try envelope(7).head) == .later)
        #expect(await inbox.offer(try envelope(2)))
        #expect(await inbox.offer(try envelope(6)))
        let soon = ContinuousClock.now + .milliseconds(20)
        #expect(await inbox.next(of: 2...5, until: soon)?.context.round == 2)
        #expect(await inbox.next(of: 2...5, until: soon) == nil)
        await inbox.begin(round: 6)
        #expect(await inbox.reserve(try envelope(5).head) == .had)
        #expect(await inbox.next(of: 6, until: soon)?.context.round == 6)
    }

    /// Two of three suffice; the third's update goes into the round after, with less weight.
    @Test func aRoundClosesAtKAndLateWorkGoesIntoTheNext() async throws {
        try await FogStage.with(nodes: 3) { stage in
            let start = try stage.plan.initialNetwork()
            let buffer = UpdateBuffer()
            let everybody = await stage.everybody.all
            @Sendable func commitments(_ places: [Int], base: UInt32) -> [Account: FogCommitment] {
                Dictionary(
                    uniqueKeysWithValues: places.map {
                        (everybody[$0 + 1].account, FogCommitment(index: UInt16($0), base: base))
                    })
            }
            let sent = try await [0, 1, 2].asyncMap { try await stage.handOver($0, round: 0, start: start) }
            // All three are there; of the third the chain has no commitment yet.
            let first = try await stage.bufferedRound(0, start: start, enough: 2, buffer: buffer) {
                commitments([0, 1], base: 0)
            }
            #expect(first.partners.map(\.index) == [0, 1] && first.partners.allSatisfy { $0.use == .used })
            #expect(first.partners.map(\.root) == [0, 1].map { RoundWork.root([sent[$0].commitment]) })
            let mean = RobustMean.combine(try [0, 1].map { try #require(sent[$0].message.difference.values) }, by: .mean)
            let moved = try start.adding(mean)
            #expect(first.model == .whole(moved))

            _ = try await stage.handOver(0, round: 1, start: moved)
            let fresh = try await stage.handOver(1, round: 1, start: moved)
            _ = fresh
            // The first two have used up what they gave to round 0: without new commitments nothing of them is taken.
            let second = try await stage.bufferedRound(1, start: moved, enough: 2, buffer: buffer) {
                commitments([1], base: 1).merging(commitments([2], base: 0)) { $1 }
            }
            #expect(second.partners.map(\.index) == [1, 2])
            let weighed = [
                try #require(fresh.message.difference.values),
                try #require(sent[2].message.difference.values).map { $0 * Float(724) / 1_024 },
            ]
            #expect(second.model == .whole(try moved.adding(RobustMean.combine(weighed, by: .mean))))
        }
    }

    @Test func theQuorumSufficesWhenTheTimeIsShort() async throws {
        try await FogStage.with(nodes: 3) { stage in
            let start = try stage.plan.initialNetwork()
            let everybody = await stage.everybody.all
            let only = [everybody[3].account: FogCommitment(index: 2, base: 0)]
            _ = try await stage.handOver(2, round: 0, start: start)
            let work = try await stage.bufferedRound(0, start: start, enough: 2, buffer: UpdateBuffer(), closingMs: 500) { only }
            #expect(work.partners.map(\.index) == [2])
            // Without a quorum that has committed there is no round.
            await #expect(throws: WorkerError.self) {
                _ = try await stage.bufferedRound(
                    0, start: start, enough: 2, buffer: UpdateBuffer(), closingMs: 200, deadlineMs: 1_000
                ) { [:] }
            }
        }
    }
}

extension FogStage {
    /// A fog node trains from a model and gives the cloud its difference.
    func handOver(_ place: Int, round: UInt32, start: Network) async throws -> (commitment: Digest, message: FogDifferenceMessage) {
        let participants = await everybody.all
        await members.update(participants)
        await cloud.inbox.begin(round: round, stale: JobStaleness.most)
        let person = nodes[place].person
        let postman = Postman(members: members, key: person.key, genesis: testGenesis, job: testJob)
        let exchange = try exchange(of: person, postman: postman, round: round)
        let (message, _) = try FogNodeExchange(
            exchange: exchange, me: participants[place + 1], cloud: participants[0], plan: plan, start: start,
            samples: shards[place], memory: .init(plan: plan, samples: shards[place].count), secret: .generate()
        ).train()
        let commitment = try await exchange.hand(over: message, me: participants[place + 1], cloud: participants[0])
        await postman.shutdown()
        return (commitment, message)
    }

    func bufferedRound(
        _ round: UInt32, start: Network, enough: Int, buffer: UpdateBuffer, closingMs: Int = 40_000,
        deadlineMs: Int = 60_000, committed: @escaping @Sendable () -> [Account: FogCommitment]
    ) async throws -> RoundWork {
        let participants = await everybody.all
        await members.update(participants)
        await cloud.inbox.begin(round: round, stale: JobStaleness.most)
        let postman = Postman(members: members, key: cloud.person.key, genesis: testGenesis, job: testJob)
        let exchange = try exchange(
            of: cloud.person, inbox: cloud.inbox, postman: postman, round: round, deadlineMs: deadlineMs)
        let done = Mutex<RoundWork?>(nil)
        do {
            try await BufferedFogCloudExchange(
                exchange: exchange, me: participants[0], nodes: Array(participants[1...]), plan: plan, quorum: 1,
                enough: enough, epsilonMicro: 0, start: start, reserved: nil,
                closing: .now + .milliseconds(closingMs), buffer: buffer, committed: { committed() }
            ).run { work in done.withLock { $0 = work } }
        } catch {
            await postman.shutdown()
            throw error
        }
        await postman.shutdown()
        return try #require(done.withLock { $0 })
    }
}

extension Array {
    func asyncMap<Result>(_ body: (Element) async throws -> Result) async rethrows -> [Result] {
        var results: [Result] = []
        for element in self { results.append(try await body(element)) }
        return results
    }
}
