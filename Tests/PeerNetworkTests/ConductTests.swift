import Cryptography
import Encoding
import PeerNetwork
import Testing

/// Offences add up, fade, and lead to bans.
@Suite(.timeLimit(.minutes(20))) struct ConductTests {
    private static let second: UInt64 = 1_000_000_000

    @Test func pointsFadeAndBansDouble() throws {
        var scores = Scoreboard(limits: PeerLimits())
        let peer = Offender.address("10.0.0.1")
        var now: UInt64 = 5
        func add(_ offence: PeerOffence) -> Int? { scores.add(offence, by: peer, isAdmitted: false, now: now) }
        // Ten points a minute fade: an offence of 25 each three minutes never adds up.
        for _ in 0..<100 {
            check(add(.badBlocks) == nil)
            now += 180 * Self.second
        }
        var bans: [Int] = []
        for _ in 0..<14 {
            check(add(.malformed) == nil)
            let seconds = try #require(add(.malformed))
            bans.append(seconds)
            #expect(scores.ban(of: peer, now: now) == seconds)
            check(add(.forged) == nil, "no ban on top of a ban")
            now += UInt64(seconds) * Self.second - 1
            #expect(scores.ban(of: peer, now: now) == 1)
            now += 1
            #expect(scores.ban(of: peer, now: now) == nil)
        }
        #expect(bans == [60, 120, 240, 480, 960, 1920, 3840, 7680, 15360, 30720, 61440, 86400, 86400, 86400])
        // Whoever behaves for as long as the longest ban starts over, once room is needed; see below.
        let key = PrivateKey.generate().publicKey
        for _ in 0..<20 {
            check(scores.add(.forged, by: .masternode(key), isAdmitted: true, now: now) == 60)
            now += 60 * Self.second
        }
    }

    @Test func theTableIsBounded() {
        var limits = PeerLimits()
        limits.offenders = 8
        var scores = Scoreboard(limits: limits)
        let worst = Offender.address("worst")
        check(scores.add(.forged, by: worst, isAdmitted: false, now: 1) == 60)
        for number in 0..<1_000 {
            _ = scores.add(.malformed, by: .address("\(number)"), isAdmitted: false, now: 2)
            #expect(scores.count <= 8)
        }
        #expect(scores.ban(of: worst, now: 2) == 60, "who is banned stays, who has least goes")
        for number in 0..<1_000 { _ = scores.add(.forged, by: .address("\(number)"), isAdmitted: false, now: 3) }
        #expect(scores.count == 8 && scores.bans(now: 3).count == 8)
    }

    /// A liar with a /48 of IPv6 comes back from another network after each ban.
    @Test func aSiteIsBannedInTheEnd() throws {
        var scores = Scoreboard(limits: PeerLimits())
        func offender(_ network: Int, site: String = "2001:db8:5") throws -> Offender {
            try #require(
                Offender(
                    consensusKey: nil, tlsKey: nil, remoteIP: "\(site):\(String(network, radix: 16))::1", sparesLoopback: true))
        }
        var banned = 0
        for network in 0x100..<0x1_00_00 {
            let one = try offender(network)
            guard scores.ban(of: one, now: 1) == nil else { break }
            check(scores.add(.forged, by: one, isAdmitted: false, now: 1) != nil)
            banned += 1
        }
        #expect(banned == 4, "of the first /56")
        // From another /56 after the other.
        for part in 2...0xff {
            let one = try offender(part << 8)
            guard scores.ban(of: one, now: 1) == nil else { break }
            _ = scores.add(.forged, by: one, isAdmitted: false, now: 1)
            banned += 1
        }
        #expect(banned == 16, "of the /48")
        check(try scores.ban(of: offender(0xffff), now: 1) != nil)
        check((try (0..<100).count { _ in scores.admitsHandshake(of: try offender(0xfffe), now: 2) }) == 10)
        check(try scores.ban(of: offender(1, site: "2001:db8:6"), now: 1) == nil)
        // One that goes on behind its ban says nothing of its neighbours, and a masternode among them comes in.
        let loud = try offender(1, site: "2001:db8:7")
        for _ in 0..<1_000 { _ = scores.add(.forged, by: loud, isAdmitted: false, now: 1) }
        check(try scores.ban(of: offender(2, site: "2001:db8:7"), now: 1) == nil && scores.ban(of: loud, now: 1) != nil)
        check(try (0..<100).count { _ in scores.admitsHandshake(of: try offender(0xfffd), isKnown: true, now: 2) } == 100)
    }

    @Test func handshakesOfStrangersLeaveMasternodesTheirs() {
        var limits = PeerLimits()
        limits.handshakesPerSecond = 30
        limits.knownHandshakesPerSecond = 60
        limits.handshakeBurst = 100
        var rations = HandshakeRations(limits: limits, now: 1)
        // From as many addresses as one likes.
        let strangers = (0..<10_000).count { rations.take("10.\($0)", of: "10.\($0)", isKnown: false, now: 1) }
        #expect(strangers == 100)
        let later = (0..<10_000).count { rations.take("11.\($0)", of: "11.\($0)", isKnown: false, now: 1 + Self.second) }
        #expect(later == 30)
        let known = (0..<10_000).count { rations.take("12.\($0)", of: "12.\($0)", isKnown: true, now: 1 + Self.second) }
        #expect(known == 100)
        // An address has no more than its part.
        let own = (0..<100).count { _ in rations.take("13.0", of: "13.0", isKnown: true, now: 100 * Self.second) }
        #expect(own == 50)
        let neighbours = (0..<1_000).count { rations.take("14:\($0)", of: "14", isKnown: false, now: 200 * Self.second) }
        #expect(neighbours == 50)
        check(rations.take("14:7", of: "14", isKnown: true, now: 200 * Self.second))
    }

    @Test func aBannedAddressMaySaySometimesWhoIsBehindIt() {
        var scores = Scoreboard(limits: PeerLimits())
        let peer = Offender.address("10.0.0.1")
        check(scores.admitsHandshake(of: peer, now: 1))
        _ = scores.add(.forged, by: peer, isAdmitted: false, now: 1)
        check((0..<100).count { _ in scores.admitsHandshake(of: peer, now: 2) } == 10)
        check((0..<100).count { _ in scores.admitsHandshake(of: peer, now: 3 * Self.second) } == 2)
        check(scores.admitsHandshake(of: .address("10.0.0.2"), now: 2))
    }

    @Test func whoAnswers() throws {
        let (key, tls) = (PrivateKey.generate().publicKey, PrivateKey.generate().publicKey)
        func offender(_ key: PublicKey?, _ ip: String?, spares: Bool = true) -> Offender? {
            Offender(consensusKey: key, tlsKey: tls, remoteIP: ip, sparesLoopback: spares)
        }
        #expect(offender(key, "10.0.0.1") == .masternode(key))
        #expect(offender(nil, "10.0.0.1") == .address("10.0.0.1"))
        #expect(offender(nil, "::ffff:10.0.0.1") == .address("10.0.0.1"))
        #expect(offender(nil, "2001:db8:0:1:aaaa::1") == offender(nil, "2001:db8:0:1:bbbb::2"))
        #expect(offender(nil, "2001:db8:0:1::1") != offender(nil, "2001:db8:0:2::1"))
        for local in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] { #expect(offender(nil, local) == .process(tls)) }
        #expect(offender(nil, "127.0.0.1", spares: false) == .address("127.0.0.1"))
        #expect(offender(nil, nil) == .process(tls))
        #expect(Offender(consensusKey: nil, tlsKey: nil, remoteIP: "::1", sparesLoopback: true) == nil)
    }

    @Test func aMasternodeThatIsReportedIsBannedForAMinute() async throws {
        let keys = try Keys(2)
        let clock = TestClock()
        let a = try await TestNode(key: keys.keys[0], set: keys.set, clock: clock)
        let b = try await TestNode(key: keys.keys[1], set: keys.set, dial: [a.address()])
        try await withNodes([a, b]) {
            try await until("connected") { a.hasHeard(of: keys.id(1)) }
            for _ in 0..<3 { a.network.report(keys.id(1), .badBlocks) }
            // Two and a half points are missing by now.
            clock.advance(seconds: 15)
            a.network.report(keys.id(1), .badBlocks)
            #expect(a.network.metrics.bans.isEmpty)
            a.network.report(keys.id(1), .excessiveRequests)
            #expect(a.network.metrics.bans == [PeerBan(who: "masternode \(keys.set[1])", secondsLeft: 60)])
            try await until("disconnected") { a.disconnections.contains(.banned(seconds: 60)) }
            // Neither side's dials help while it lasts.
            try await until("refused") { a.refusals.contains(.banned(seconds: 60)) }
            #expect(!a.isConnected(keys.id(1)))
            clock.advance(seconds: 60)
            try await until("connected again") { a.isConnected(keys.id(1)) }
            #expect(a.network.metrics.bans.isEmpty && a.network.metrics.bansImposed == 1)
            #expect(a.network.metrics.offences == 5)
        }
    }

    @Test func followersAreBannedByAddressAndMasternodesBehindItAreNot() async throws {
        let keys = try Keys(2)
        let clock = TestClock()
        var limits = TestNode.limits
        limits.sparesLoopback = false
        let a = try await TestNode(key: keys.keys[0], set: keys.set, limits: limits, clock: clock)
        try await withNodes([a]) {
            let stranger = PrivateKey.generate()
            for _ in 0..<2 {
                try await withRawPeer(port: a.port) { peer in
                    try await peer.introduce(stranger)
                    peer.send([1, 0, 0, 0, 15])
                    let goodbye = try await peer.goodbye()
                    #expect(goodbye?.code == DisconnectReason.malformed("").code)
                }
            }
            try await until("banned") { a.network.metrics.bans == [PeerBan(who: "address 127.0.0.1", secondsLeft: 60)] }
            try await withRawPeer(port: a.port) { peer in
                let hello = try Hello(
                    genesisHash: sampleGenesis, listenAddress: "", agent: "", tlsKey: peer.tls.publicKey, endorser: nil)
                peer.send(Frame(kind: FrameKind.hello, payload: hello.borsh))
                let goodbye = try await peer.goodbye()
                #expect(goodbye == Goodbye(.banned(seconds: 60)))
            }
            try await withRawPeer(port: a.port) { try await $0.introduce(keys.keys[1]) }
            clock.advance(seconds: 60)
            try await withRawPeer(port: a.port) { try await $0.introduce(stranger) }
            // A forged endorsement is a stranger's offence, not the masternode's.
            try await withRawPeer(port: a.port) { peer in
                let hello = Hello(
                    genesisHash: sampleGenesis, listenAddress: "", agent: "",
                    endorsement: Hello.Endorsement(
                        consensusKey: keys.set[1], signature: try endorsed(keys.keys[1], "elsewhere:1").signature))
                peer.send(Frame(kind: FrameKind.hello, payload: hello.borsh))
                let goodbye = try await peer.goodbye()
                #expect(goodbye == Goodbye(.wrongEndorsement(keys.set[1])))
            }
            try await until("banned again, for longer") {
                a.network.metrics.bans == [PeerBan(who: "address 127.0.0.1", secondsLeft: 120)]
            }
        }
    }
}
