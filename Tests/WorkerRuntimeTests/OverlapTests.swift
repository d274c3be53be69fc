import Testing
import WorkerRuntime

@Suite(.timeLimit(.minutes(20))) struct OverlapTests {
    private func overlap(_ samples: some Collection<Int>) -> Overlap {
        let all = Array(samples)
        return Overlap(job: testJob, count: all.count) { [UInt8(all[$0] & 0xff), UInt8(all[$0] >> 8 & 0xff)] }
    }

    @Test(arguments: [1, 10]) func sharedSamplesAreSeen(scale: Int) {
        let whole = 0..<2_000 * scale
        let (even, odd) = (overlap(whole.filter { $0 % 2 == 0 }), overlap(whole.filter { $0 % 2 == 1 }))
        #expect(even.shared(with: odd) == 0, "two shards of one division")
        #expect(even.shared(with: even) == Overlap.size, "one shard twice")
        let fourth = overlap(whole.filter { $0 % 4 == 0 })
        #expect((16...48).contains(even.shared(with: fourth)), "a quarter within a half: one in two")
        #expect(overlap(whole).shared(with: even) >= 16)
        #expect(overlap([]).shared(with: even) == 0)
        #expect(overlap([7]).shared(with: overlap([7])) == Overlap.size, "few samples are samples, too")
    }

    @Test func aSketchIsForOneReceiver() throws {
        let (cloud, edge) = (try Person("cloud"), try Person("edge"))
        let made = overlap(0..<500)
        let sealed = try made.sealed(for: cloud.kem.publicKey, job: testJob)
        #expect(sealed.count <= WorkerRequest.longestArgument)
        #expect(Overlap(opening: sealed, job: testJob, keys: [edge.kem, cloud.kem])?.sketch == made.sketch)
        #expect(Overlap(opening: sealed, job: testJob, keys: [edge.kem]) == nil)
        #expect(Overlap(opening: sealed, job: edge.account, keys: [cloud.kem]) == nil)
        for place in [0, 31, 32, sealed.count - 1] {
            var changed = sealed
            changed[place] ^= 1
            #expect(Overlap(opening: changed, job: testJob, keys: [cloud.kem]) == nil)
        }
        for bytes in [[], Array(sealed[..<32])] { #expect(Overlap(opening: bytes, job: testJob, keys: [cloud.kem]) == nil) }
    }
}
