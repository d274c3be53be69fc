import Cryptography
import Encoding
import Foundation
import Tensor
import Testing

import Training

@Suite(.timeLimit(.minutes(20))) struct AccountantTests {
    /// TensorFlow Privacy, privacy/analysis/compute_dp_sgd_privacy_test.py: samples, batch, noise multiplier, epochs,
    /// delta, epsilon.
    @Test(arguments: [
        (60_000, 150, 1.3, 15, 1e-5, 0.7242234026109595), (100_000, 100, 1.0, 30, 1e-7, 1.4154988495444845),
        (100_000_000, 1_024, 0.1, 10, 1e-7, 5_907_982.31138195),
    ] as [(Int, Int, Double, Int, Double, Double)])
    func agreesWithPublishedValues(samples: Int, batch: Int, noise: Double, epochs: Int, delta: Double, epsilon: Double) {
        var accountant = PrivacyAccountant(noiseMultiplier: noise, rate: Double(batch) / Double(samples))
        accountant.step(UInt64(epochs * ((samples + batch - 1) / batch)))
        let found = accountant.epsilon(delta: delta)
        #expect(abs(found / epsilon - 1) < 0.001, "\(found), published \(epsilon)")
    }

    @Test func budgetsAreSpentExactly() {
        let accountant = PrivacyAccountant(noiseMultiplier: 1.1, rate: 0.01)
        let steps = accountant.stepsWithin(epsilon: 2, delta: 1e-5)
        #expect(steps > 100)
        #expect(accountant.epsilon(delta: 1e-5, further: steps) <= 2)
        #expect(accountant.epsilon(delta: 1e-5, further: steps + 1) > 2)
        #expect(accountant.epsilon(delta: 1e-5) == 0)
        #expect(PrivacyAccountant(noiseMultiplier: 0, rate: 0.1).epsilon(delta: 1e-5, further: 1) == .infinity)
        // Everybody in every step: the Gaussian mechanism itself, alpha / (2 s^2).
        #expect(PrivacyAccountant.divergence(order: 8, rate: 1, noise: 2) == 1)
        // Never less for more: noise, rate, steps.
        for order in [1.25, 2, 17, 256] {
            let base = PrivacyAccountant.divergence(order: order, rate: 0.01, noise: 1)
            #expect(base > 0)
            #expect(PrivacyAccountant.divergence(order: order, rate: 0.02, noise: 1) > base)
            #expect(PrivacyAccountant.divergence(order: order, rate: 0.01, noise: 1.5) < base)
        }
    }

    @Test func realFunctions() {
        for exponent in stride(from: -700.0, to: 700, by: 3.7) {
            #expect(abs(RealFunctions.exp(exponent) / Foundation.exp(exponent) - 1) < 1e-13)
        }
        for value in [1e-300, 1e-9, 0.3, 0.99999, 1, 1.00001, 1.5, 2, 7, 1e10, 1e300] {
            #expect(abs(RealFunctions.log(value) - Foundation.log(value)) <= 1e-15 * max(1, abs(Foundation.log(value))) * 4)
        }
        #expect(RealFunctions.log(0) == -.infinity && RealFunctions.log(-1).isNaN)
        #expect(RealFunctions.exp(1_000) == .infinity && RealFunctions.exp(-1_000) == 0)
    }
}

@Suite(.timeLimit(.minutes(20))) struct SecureSumTests {
    /// Drives one sum. `leaving` share their secrets and then never send; they are told to have dropped out.
    private struct Driver {
        var workers: [SecureSum.Worker]
        var cloud: SecureSum.Cloud
        let vectors: [[UInt32]]
        /// All that the cloud ever gets of the vectors.
        var view: [[UInt32]] = []

        init(_ count: Int, threshold: Int, length: Int, key: UInt64) throws {
            let context = Array("job 1, round 7".utf8)
            workers = try (0..<count).map {
                try SecureSum.Worker(
                    place: UInt16($0 * 3), threshold: threshold, seed: testSecret.derived(for: "\(key) \($0)"),
                    context: context)
            }
            cloud = SecureSum.Cloud(threshold: threshold, count: length, context: context)
            vectors = (0..<count).map { index in
                var stream = GaussianStream(RandomStream(key: key, worker: UInt32(index)))
                return SecureSum.encode((0..<length).map { _ in stream.next() * 0.1 }, participants: count)
            }
        }

        mutating func exchangeShares() throws {
            for worker in workers { try cloud.add(worker.keys, from: worker.place) }
            var all: [(from: UInt16, shares: [SecureSum.SealedShares])] = []
            for index in workers.indices { all.append((workers[index].place, try workers[index].share(cloud.keys))) }
            for (from, shares) in all {
                try cloud.accept(shares, from: from)
                for share in shares {
                    for index in workers.indices where workers[index].place == share.to {
                        try workers[index].keep(SecureSum.SealedShares(borsh: share.borsh), from: from)
                    }
                }
            }
        }

        mutating func run(leaving: Set<Int>) throws -> [UInt32] {
            try exchangeShares()
            for index in workers.indices where !leaving.contains(index) {
                let masked = try workers[index].mask(vectors[index])
                view.append(masked)
                try cloud.add(masked: masked, from: workers[index].place)
            }
            let included = cloud.included
            for index in workers.indices where !leaving.contains(index) {
                try cloud.add(workers[index].unmask(included: included), from: workers[index].place)
            }
            return try cloud.sum()
        }

        func plain(without leaving: Set<Int>) -> [UInt32] {
            var sum = [UInt32](repeating: 0, count: vectors[0].count)
            for index in vectors.indices where !leaving.contains(index) { SecureSum.add(vectors[index], to: &sum) }
            return sum
        }
    }

    @Test(arguments: [2, 3, 7, 20])
    func theSumHasTheBitsOfThePlainOne(count: Int) throws {
        var driver = try Driver(count, threshold: count / 2 + 1, length: 501, key: 1)
        #expect(try driver.run(leaving: []) == driver.plain(without: []))
    }

    @Test(arguments: [[0], [2, 5], [6]])
    func whoDropsOutAfterItsCommitDoesNotStopTheRound(leaving: [Int]) throws {
        var driver = try Driver(7, threshold: 4, length: 300, key: 2)
        #expect(try driver.run(leaving: Set(leaving)) == driver.plain(without: Set(leaving)))
    }

    @Test func theCloudsViewContainsNoSingleUpdate() throws {
        var driver = try Driver(5, threshold: 3, length: 4_000, key: 3)
        let sum = try driver.run(leaving: [4])
        for masked in driver.view {
            for vector in driver.vectors {
                // Neither as it is, nor after taking off any of the other masked ones.
                #expect(masked != vector)
                let equal = zip(masked, vector).filter { $0 == $1 }.count
                #expect(equal < 4)
                for other in driver.view where other != masked {
                    var difference = masked
                    for index in difference.indices { difference[index] &-= other[index] }
                    #expect(zip(difference, vector).filter { $0 == $1 }.count < 4)
                }
            }
            // Masked words are spread over all 2^32.
            let high = masked.filter { $0 >= 1 << 31 }.count
            #expect(high > 1_800 && high < 2_200)
        }
        // Nor does a sum of some of the masked ones show the sum of theirs.
        var part = [UInt32](repeating: 0, count: 4_000)
        for masked in driver.view.prefix(3) { SecureSum.add(masked, to: &part) }
        var plainPart = [UInt32](repeating: 0, count: 4_000)
        for vector in driver.vectors.prefix(3) { SecureSum.add(vector, to: &plainPart) }
        #expect(part != plainPart)
        #expect(sum == driver.plain(without: [4]))
    }

    @Test func belowTheThresholdThereIsNoSum() throws {
        var driver = try Driver(5, threshold: 4, length: 10, key: 4)
        #expect(throws: SecureSum.Failure.self) { try driver.run(leaving: [0, 1]) }
        // The workers would answer no such cloud; and it knows by itself.
        var few = try Driver(5, threshold: 4, length: 10, key: 4)
        try few.exchangeShares()
        for index in 0..<3 {
            let masked = try few.workers[index].mask(few.vectors[index])
            try few.cloud.add(masked: masked, from: few.workers[index].place)
        }
        #expect(throws: SecureSum.Failure.tooFew(found: 3, threshold: 4)) { try few.cloud.sum() }
    }

    @Test func aCloudThatAsksForBothSharesIsRefused() throws {
        var driver = try Driver(5, threshold: 3, length: 10, key: 5)
        try driver.exchangeShares()
        let masked = try driver.workers[0].mask(driver.vectors[0])
        #expect(throws: SecureSum.Failure.askedTwice) { try driver.workers[0].mask(driver.vectors[0]) }
        try driver.cloud.add(masked: masked, from: 0)
        #expect(throws: SecureSum.Failure.tooFew(found: 2, threshold: 3)) {
            try driver.workers[0].unmask(included: [0, 3])
        }
        _ = try driver.workers[0].unmask(included: [0, 3, 6])
        #expect(throws: SecureSum.Failure.askedTwice) { try driver.workers[0].unmask(included: [6, 9, 12]) }
    }

    @Test func liesAreNoticed() throws {
        var driver = try Driver(4, threshold: 3, length: 10, key: 6)
        for worker in driver.workers { try driver.cloud.add(worker.keys, from: worker.place) }
        let keys = driver.cloud.keys
        // A roster without oneself, with a key twice, a threshold that is no majority.
        #expect(throws: SecureSum.Failure.self) { try driver.workers[0].share(Array(keys.dropFirst())) }
        #expect(throws: SecureSum.Failure.self) {
            var twice: [(place: UInt16, keys: SecureSum.Keys)] = keys
            twice[3].keys = keys[1].keys
            return try driver.workers[0].share(twice)
        }
        var weak = try SecureSum.Worker(place: 0, threshold: 2, seed: testSecret, context: [])
        #expect(throws: SecureSum.Failure.self) {
            var all: [(place: UInt16, keys: SecureSum.Keys)] = keys
            all[0].keys = weak.keys
            return try weak.share(all)
        }
        let shares = try driver.workers[0].share(keys)
        _ = try driver.workers[1].share(keys)
        // Shares for somebody else, or from somebody else.
        #expect(throws: SecureSum.Failure.self) { try driver.workers[1].keep(shares[1], from: 0) }
        #expect(throws: SecureSum.Failure.badShare(from: 6)) { try driver.workers[1].keep(shares[0], from: 6) }
        try driver.workers[1].keep(shares[0], from: 0)
        #expect(throws: SecureSum.Failure.self) { try driver.cloud.add(keys[0].keys, from: 0) }
        #expect(throws: SecureSum.Failure.self) { try driver.cloud.accept(Array(shares.dropLast()), from: 0) }
        #expect(throws: SecureSum.Failure.self) { try driver.cloud.add(masked: [1], from: 0) }
    }

    @Test func fixedPointIsBoundedAndExact() {
        let values: [Float] = [0, 1, -1, 0x1p-20, 1e9, -1e9, .nan, 0.1]
        let decoded = SecureSum.decode(SecureSum.encode(values, participants: 10))
        #expect(decoded[0] == 0 && decoded[1] == 1 && decoded[2] == -1 && decoded[3] == 0x1p-20)
        #expect(abs(decoded[4] - SecureSum.bound(participants: 10)) < 0.01 && decoded[5] == -decoded[4])
        #expect(abs(decoded[7] - 0.1) <= 0x1p-21)
        // The largest of all, by all: no wrap.
        var sum: [UInt32] = [0]
        for _ in 0..<10 { SecureSum.add(SecureSum.encode([1e9], participants: 10), to: &sum) }
        #expect(SecureSum.decode(sum)[0] > 2_000)
    }

    @Test func shamirsShares() {
        let secret = testSecret.bytes
        let shares = Shamir.split(secret, threshold: 3, count: 5, randomness: testSecret.derived(for: "r"))
        for first in 0..<5 {
            for second in first + 1..<5 where second < 5 {
                #expect(Shamir.join([shares[first], shares[second]], threshold: 3) == nil)
                for third in second + 1..<6 where third < 5 {
                    #expect(Shamir.join([shares[third], shares[first], shares[second]], threshold: 3) == secret)
                }
            }
        }
        // One share twice is one share.
        #expect(Shamir.join([shares[0], shares[0], shares[1]], threshold: 3) == nil)
        #expect(shares.allSatisfy { $0.bytes != secret })
        // FIPS 197, section 4.2: {57} * {83} = {c1}, as the share at 0x83 of the line 0 + 0x57 x.
        let one = Shamir.split([0xAA], threshold: 1, count: 3, randomness: testSecret)
        #expect(one.allSatisfy { $0.bytes == [0xAA] })
    }
}
