import Cryptography
import NodeHost
import Primitives
import StateSync
import Synchronization
import Testing

/// What anybody may ask for: bounded in sum, and nobody's places are another one's.
@Suite(.timeLimit(.minutes(20))) struct AskingTests {
    private static func peer(_ number: UInt8) -> PeerId {
        PeerId(PublicKey(words: Digest(sha256: [number]).words))
    }

    /// However many strangers ask, masternodes have their places; and as many strangers as there may be have theirs.
    @Test func strangersTakeNoPlacesOfMasternodes() {
        var places = RequestPlaces()
        func stranger(_ number: UInt8) -> Bool { places.enter(Self.peer(number), isStranger: true, most: 2, inAll: 8) }
        func masternode(_ number: UInt8) -> Bool { places.enter(Self.peer(number), isStranger: false, most: 4, inAll: 6) }
        for number in 0..<4 as Range<UInt8> { #expect(stranger(number) && stranger(number) && !stranger(number)) }
        #expect(!stranger(4), "no more in all")
        #expect(masternode(10) && masternode(10) && masternode(10) && masternode(10) && !masternode(10))
        #expect(masternode(11) && masternode(12) && !masternode(13))
        places.leave(Self.peer(0), isStranger: true)
        #expect(stranger(4) && !stranger(5))
        places.leave(Self.peer(12), isStranger: false)
        #expect(!stranger(5) && masternode(13))
        // Who has none gives none back, nor one of the other kind.
        places.leave(Self.peer(99), isStranger: true)
        places.leave(Self.peer(10), isStranger: true)
        #expect(!stranger(5) && !masternode(14))
    }

    private final class Count: Sendable {
        private let count = Mutex(0)
        var value: Int { count.withLock { $0 } }
        func next() -> Int {
            count.withLock {
                $0 += 1
                return $0
            }
        }
    }

    /// A thousand who ask cost as much as one.
    @Test func whatManyAskForIsMadeOnce() async {
        let (made, fresh) = (Count(), Fresh<Int>(age: .seconds(100_000)))
        await withTaskGroup(of: Int.self) { group in
            for _ in 0..<1_000 { group.addTask { await fresh.value(at: Height(1)) { made.next() } } }
            for await value in group { #expect(value == 1) }
        }
        #expect(made.value == 1)
        // Another block, another answer.
        #expect(await fresh.value(at: Height(2)) { made.next() } == 2)
        #expect(await fresh.value(at: Height(2)) { made.next() } == 2)
        #expect(await fresh.value(at: Height(1)) { made.next() } == 3)
        let short = Fresh<Int>(age: .zero)
        #expect(await short.value(at: Height(1)) { made.next() } == 4)
        #expect(await short.value(at: Height(1)) { made.next() } == 5)
    }
}
