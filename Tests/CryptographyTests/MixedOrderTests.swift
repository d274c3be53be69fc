import CEd25519
import Crypto
import Cryptography
import TestSupport
import Testing

/// The rule where it differs from what other libraries take: keys and nonces with parts of small order, encodings that are
/// not canonical, the ends of the numbers. Every path says what the rule says, in groups of every size, whoever else is
/// in them. The points come from an implementation in whole numbers that shares nothing with this one.
@Suite(.timeLimit(.minutes(20))) struct MixedOrderTests {
    /// A = [secret]B + T and R = [nonce]B + T, of each of the eight points T whose order divides 8.
    private static let secret = "e2064207916eded54f7b09f50e3a457f1cbf342ce940ddcafb0c38d0e68f1e06"
    private static let nonce = "8363df81aff86aff1005f0d5333978630ad5d02ea777dc548fa94c524cfdc003"
    private static let keys = [
        "2cf57b66c67001fc4b8ef9c24de06568b0dd0f7ac4199dc8b357a8d166aa09ee",
        "b9b11237f71297a399b38208df5b1817b1ba2d8aaea87f9215ddbdbea6b5aaca",
        "20ec1e8230a49a84b31e71a15095605d2c7810aba86cd1bf684e45bf24090285",
        "0cea51fc03f73613f0e15f241b6f21dc160598e6281cc243446ec3f91c805a6e",
        "c10a8499398ffe03b471063db21f9a974f22f0853be662374ca8572e9955f611",
        "344eedc808ed685c664c7df720a4e7e84e45d2755157806dea224241594a5535",
        "cd13e17dcf5b657b4ce18e5eaf6a9fa2d387ef5457932e4097b1ba40dbf6fd7a",
        "e115ae03fc08c9ec0f1ea0dbe490de23e9fa6719d7e33dbcbb913c06e37fa591",
    ]
    private static let nonces = [
        "bddc38ce51e2c59f8b7838df7f43c89cc9379b24931b9e4b7164d3df3c615008",
        "5d0dd368b60a27c9e439ec2d7cbe07e77b271afb7a49cb7c5960e3eda5bc860d",
        "0e8b60388c62df98d86b1d8500df256540e03b4376cd842bf0108b166e6e87d0",
        "f588de1a65d9b706787008f7fae48acc0f51f6e6dac67c581e8f93dcd6469a26",
        "3023c731ae1d3a607487c72080bc376336c864db6ce461b48e9b2c20c39eaff7",
        "90f22c9749f5d8361bc613d28341f81884d8e50485b63483a69f1c125a4379f2",
        "df749fc7739d20672794e27aff20da9abf1fc4bc89327bd40fef74e99191782f",
        "f87621e59a2648f9878ff708051b7533f0ae0919253983a7e1706c2329b965d9",
    ]

    /// A key with a part of small order, an R that is not canonical, the same point's canonical encoding, s and k.
    private static let looseNonces = [
        [
            "331b68b40373bfe377b1c922354da7d18b06d9ef853e631ef9ec30e6b174408d",
            "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "0300000000000000000000000000000000000000000000000000000000000080",
            "70e069fb60da17b566e35cbde20d4836fc003ebe3b3a3154c6d788d9fff9ce02",
            "399551166b860d8dc4235ac7ec8fa642f024b2885cea3b7847537934061a3807",
        ],
        [
            "7acbd6267906736d9f3a29bbb5f5ff6db2a87f47bcdcee896fc58a81b58f55a7",
            "f2ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "0500000000000000000000000000000000000000000000000000000000000080",
            "801fbdc46687c9cdbb516362e35d460361777ef21fe21dfcb71dfc0890e3ab01",
            "038ced877e2a703f20d11a38e5109a928cece77859ac1367505df7bc224e6d04",
        ],
        [
            "d95f2961f397cb64f790c58802f28ee7bfbb84d6e4754118b9ab7d5576396666",
            "f6ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "0900000000000000000000000000000000000000000000000000000000000000",
            "1b8b2e1eadcc8b41de0f52fce71707811cd7b5e7eef01490e1b132b050dca40f",
            "778eed7e649ee9a1acde190ae428efbe8b46a95b8fac99c2f8cb42fd968bd90d",
        ],
        [
            "e328299acb8f73da0a35ddd04537a58b65bfd0be7836282eb5f68eba257a549f",
            "f6ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "0900000000000000000000000000000000000000000000000000000000000080",
            "0922594c351afb874cd78117b93c65049effefd7031c4b7c59764eeab45c4b0b",
            "8923530e051f91a69d55b57869ae95d233fc23b15c888ea71f795e18ba94b704",
        ],
        [
            "056642cc3adba6a30d53caa7675900f1b4dd505ba4e74591c73c0305ccdba66e",
            "f7ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "0a00000000000000000000000000000000000000000000000000000000000000",
            "cb7bf3420823be35f6189dc56b556ed6076a011683a15929af340c2a73e5c504",
            "effce763fc2b76f9b4a8d4793388651a06f83de2d54befda204eb8225afba807",
        ],
        [
            "9b3148043ea2395245ba0dc6dcd9a906da201f0f4a94191ca3c0eeb7f38127cb",
            "fcffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "0f00000000000000000000000000000000000000000000000000000000000080",
            "4235517dfdcca28171e78e44c3dc27993a6ed6d6787aa7e2d0db611a2030160f",
            "05ee10616e9588f7978546fb8a469993e50249b6b68673bbbf37e299dca85a0d",
        ],
        [
            "7d61fbce0854a8d50de113914cf4e5a580b018687532b4449f3641a92f0b922a",
            "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "1200000000000000000000000000000000000000000000000000000000000000",
            "482bcf5220b2a4505ff1f3e9f9a99e31a3649fc62e2ef3477c725cf84608c80b",
            "21fb2d24e3264202a65c0617dd729ca8aaa6d4e0e060fa1bd63ca98298668706",
        ],
    ]
    /// A key that is not canonical, the same point's canonical encoding, an R with a part of small order, s and k.
    private static let looseKeys = [
        [
            "f1ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "0400000000000000000000000000000000000000000000000000000000000000",
            "5c688bfef6286ae76ef944d7fdb0ee95cdc9dd502e1e4ba80c1cf052486dd5a3",
            "8d2121251c7b37233d2a0c5cd3ccf3ed1fff13c804402fb21f008b0c6ca5c906",
            "6185f8b43245a2a87aa3264f2d59c6ec1c1c321426ff36461aded5aca6b54c03",
        ],
        [
            "f3ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "0600000000000000000000000000000000000000000000000000000000000080",
            "fbe5d4b11a1eff6329ea4666198b012f302cf52d8e4f54c7fc418bc97bc99b36",
            "563382f489037d6092902e16e69836e1604cceb3efa4e84cf9fc2c143a44810b",
            "4406950e6def17871949a905365124db234577b84f3a12f69e342696c52ed603",
        ],
        [
            "f6ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "0900000000000000000000000000000000000000000000000000000000000000",
            "ca76b90b747949fbcd6888a0b903ed5d0785c2d79bb3f9d9aaddb7d37e62ebf9",
            "5c7cb9d97295f3d13258a113dd770b6e91352c0187ce0c1c53200e089e2b070c",
            "01842c748ec5aca530f8c39e2830a2bcb36b4ed923364d010587120c392a650e",
        ],
        [
            "fdffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "1000000000000000000000000000000000000000000000000000000000000000",
            "51165d4dd3db5f03e4c4d8002f474f627578a25c2bd20a74b7a8a73a7f03b74c",
            "a6114ed172335e99fdbcc9ef564a4e418c9017a26e3d0be8acba32d304349505",
            "96c5e6c7766b6a20b06ed1097e7cbeeb2658f1c84d3c04a368bcb0ce8c985f08",
        ],
    ]
    private static let order = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010"

    private static let zero = [UInt8](repeating: 0, count: 32)
    private static let one = [1] + [UInt8](repeating: 0, count: 31)

    /// a b + c modulo L.
    private static func product(_ a: [UInt8], _ b: [UInt8], plus c: [UInt8]) -> [UInt8] {
        var result = zero
        ced_scalar_multiply_add(&result, a, b, c)
        return result
    }

    private static func negated(_ a: [UInt8]) -> [UInt8] {
        var result = zero
        ced_scalar_negate(&result, a)
        return result
    }

    /// 0, 1, 2, L - 1, L - 2, the halves of L, and numbers at the borders of words, strips and combs.
    private static func extremes() throws -> [[UInt8]] {
        let two = product(one, one, plus: one)
        // (L + 1) / 2
        var half = try hex(order)
        half[0] += 1
        for index in half.indices { half[index] = half[index] >> 1 | (index < 31 ? half[index + 1] << 7 : 0) }
        var all = [zero, one, two, negated(one), negated(two), half, negated(half)]
        for bit in [12, 13, 63, 64, 65, 127, 128, 130, 191, 192, 195, 251, 252] {
            var power = zero
            power[bit / 8] = 1 << UInt8(bit % 8)
            all += [power, product(one, power, plus: negated(one)), negated(power)]
        }
        return all
    }

    /// One check with what it must say, and the key's table.
    private final class Check {
        let name: String, r: [UInt8], s: [UInt8], k: [UInt8], holds: UInt8
        var key = ced_point()
        let table = UnsafeMutablePointer<ced_key>.allocate(capacity: 1)

        init(_ name: String, key: [UInt8], r: [UInt8], s: [UInt8], k: [UInt8], holds: Bool) {
            (self.name, self.r, self.s, self.k, self.holds) = (name, r, s, k, holds ? 1 : 0)
            #expect(ced_decode(&self.key, key) == 1, "\(name)")
            ced_prepare_key(table, &self.key)
        }

        deinit { table.deallocate() }

        /// By the equation as it stands.
        var isPlain: UInt8 {
            var nonce = ced_point(), key = key
            guard ced_decode(&nonce, r) == 1, ced_scalar_is_canonical(s) == 1 else { return 0 }
            return ced_equation_holds(&key, &nonce, s, k) == 1 ? 1 : 0
        }
    }

    private static func checks(_ generator: inout SeededGenerator) throws -> [Check] {
        let (secret, nonce) = (try hex(secret), try hex(nonce)), extremes = try extremes()
        func random() -> [UInt8] {
            var result = zero
            ced_scalar_reduce(&result, generator.bytes(64))
            return result
        }
        var all: [Check] = []
        func add(_ name: String, _ key: [UInt8], _ r: [UInt8], _ s: [UInt8], _ k: [UInt8]) {
            all.append(Check(name, key: key, r: r, s: s, k: k, holds: true))
            all.append(
                Check(name + ", s + 1", key: key, r: r, s: product(one, s, plus: one), k: k, holds: false))
        }
        for (i, key) in keys.enumerated() {
            for (j, r) in nonces.enumerated() {
                for k in [random(), extremes[generator.below(extremes.count)]] {
                    add("key \(i), nonce \(j)", try hex(key), try hex(r), product(k, secret, plus: nonce), k)
                }
            }
        }
        for (index, k) in extremes.enumerated() {
            let key = try hex(keys[index % 8]), r = try hex(nonces[index / 8 % 8])
            add("k \(index)", key, r, product(k, secret, plus: nonce), k)
            // Of a key of small order s is what R says, whatever k is.
            let small = try hex(SignatureRuleTests.smallOrder[index % 14])
            add("small key, k \(index)", small, r, nonce, k)
            add("small nonce, k \(index)", key, small, product(k, secret, plus: zero), k)
            // The base point's encoding as the key and an R of small order: s is k.
            let base = [0x58] + [UInt8](repeating: 0x66, count: 31)
            add("s \(index)", base, small, k, k)
        }
        for small in SignatureRuleTests.smallOrder {
            for other in SignatureRuleTests.smallOrder { add("small", try hex(small), try hex(other), zero, random()) }
        }
        for (index, row) in (looseNonces + looseKeys).enumerated() {
            let fields = try row.map { try hex($0) }
            let isKey = index >= looseNonces.count
            add("loose \(index)", fields[0], isKey ? fields[2] : fields[1], fields[3], fields[4])
            add("canonical \(index)", isKey ? fields[1] : fields[0], fields[2], fields[3], fields[4])
        }
        // The numbers L and above are refused, though the equation holds: for L as for 0.
        let neutral = try hex(SignatureRuleTests.smallOrder[0])
        all.append(Check("L", key: neutral, r: neutral, s: try hex(order), k: random(), holds: false))
        return all
    }

    private static func answers(_ path: ced_path, _ group: [Check]) -> [UInt8] {
        var holds = [UInt8](repeating: 9, count: group.count)
        ced_signatures_hold_by(
            path, &holds, group.map { UnsafePointer($0.table) }, group.flatMap(\.r), group.flatMap(\.s),
            group.flatMap(\.k), group.count)
        return holds
    }

    private static let paths = [ced_path_scalar, ced_path_avx2, ced_path_avx512ifma].filter {
        $0.rawValue <= ced_widest_path().rawValue
    }

    @Test func everyPathFollowsTheRule() throws {
        let seed: UInt64 = 0x215
        var generator = SeededGenerator(seed: seed)
        let all = try Self.checks(&generator)
        for check in all {
            #expect(check.isPlain == check.holds, "\(check.name), seed \(seed)")
            for path in Self.paths {
                #expect(Self.answers(path, [check]) == [check.holds], "\(check.name), path \(path), seed \(seed)")
            }
        }
        // Every size with right and wrong ones at all places.
        let right = all.filter { $0.holds == 1 }, wrong = all.filter { $0.holds == 0 }
        for size in 2...9 {
            for pattern in 0..<1 << size {
                let group = (0..<size).map { place in
                    let from = pattern >> place & 1 == 1 ? right : wrong
                    return from[generator.below(from.count)]
                }
                // The plain path has no lanes that could mix.
                let path = pattern % 16 == 0 ? ced_path_scalar : ced_widest_path()
                #expect(
                    Self.answers(path, group) == group.map(\.holds),
                    "\(group.map(\.name)), path \(path), seed \(seed)")
            }
        }
        for path in Self.paths {
            for first in stride(from: 0, to: all.count, by: 150) {
                let group = Array(all[first..<min(first + 150, all.count)])
                #expect(Self.answers(path, group) == group.map(\.holds), "path \(path), seed \(seed)")
            }
        }
    }

    /// The same with real challenges, as claims: alone and in groups, by sums at first and prepared keys then.
    @Test func claimsFollowTheRule() throws {
        let seed: UInt64 = 0x216
        var generator = SeededGenerator(seed: seed)
        let (secret, nonce) = (try hex(Self.secret), try hex(Self.nonce))
        for round in 0..<12 {
            var claims: [SignatureClaim] = [], expected: [Bool] = []
            for key in try Self.keys.map({ try hex($0) }) {
                for r in try Self.nonces.map({ try hex($0) }) {
                    let message = generator.bytes(generator.below(200)), isRight = generator.below(8) > 0
                    var k = Self.zero
                    ced_scalar_reduce(&k, Array(SHA512.hash(data: r + key + message)))
                    let s = Self.product(k, secret, plus: isRight ? nonce : Self.product(Self.one, nonce, plus: Self.one))
                    claims.append(
                        SignatureClaim(
                            key: try #require(PublicKey(key)), signature: try #require(Signature(r + s)), message: message))
                    expected.append(isRight)
                }
            }
            #expect(SignatureBatch.check(claims) == expected, "seed \(seed), round \(round)")
            let right = claims.indices.filter { expected[$0] }.map { claims[$0] }
            #expect(SignatureBatch.allHold(right), "seed \(seed), round \(round)")
            #expect(claims.map(\.isValid) == expected, "seed \(seed), round \(round)")
        }
    }

    /// Which y below 64 belong to points, one bit for each: small ones are the same as y + p, up to 18, which are held
    /// otherwise.
    @Test func smallCoordinates() {
        let points: UInt64 = 0xf7d91dab7fadc67b
        for y in 0..<64 {
            let isPoint = UInt8(points >> UInt64(y) & 1)
            for sign: UInt8 in [0, 0x80] {
                var strings = [UInt8(y)] + [UInt8](repeating: 0, count: 30) + [sign]
                if y < 19 { strings += [0xed + UInt8(y)] + [UInt8](repeating: 0xff, count: 30) + [0x7f | sign] }
                let count = strings.count / 32
                for path in Self.paths {
                    var points = Array(repeating: ced_point(), count: count), valid = [UInt8](repeating: 9, count: count)
                    ced_decode_many_by(path, &points, &valid, strings, count)
                    #expect(valid == Array(repeating: isPoint, count: count), "y = \(y), path \(path)")
                }
            }
        }
    }
}
