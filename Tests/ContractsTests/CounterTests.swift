import Encoding
import Primitives
import Testing

@Suite("The counter and notary", .timeLimit(.minutes(20)))
struct CounterTests {
    private let sender = Person("somebody").account

    @Test("counts, refuses overflow, and adds by itself later")
    func counting() throws {
        let chain = try TestChain("counter")
        #expect(chain.register(little(UInt64(40))) == .done)
        #expect(chain.send(sender, 256, little(UInt64(2))) == .done)
        #expect(chain.query([]).reply == little(UInt64(42)))
        #expect(chain.send(sender, 256, little(UInt64.max)) == .refused("the counter would overflow"))
        #expect(chain.send(sender, 256, [1]) == .refused("malformed amount: too short"))
        #expect(chain.send(sender, 300) == .refused("action 300 is not one of this contract's: 256 to 259"))
        #expect(chain.send(sender, 256, little(UInt64(1)), value: 9) == .refused("this contract takes no money"))
        #expect(chain.send(sender, 258, little(UInt64(8)) + little(UInt64(5_000))) == .done)
        chain.pass(4_999)
        #expect(chain.query([]).reply == little(UInt64(42)))
        chain.pass(1)
        #expect(chain.query([]).reply == little(UInt64(50)))
        #expect(chain.state.events.last == .init(topic: "count", data: little(UInt64(50))))
    }

    @Test("records who showed a digest first")
    func notarising() throws {
        let chain = try TestChain("counter")
        #expect(chain.register([]) == .done)
        let digest = [UInt8](repeating: 0xAB, count: 32)
        #expect(chain.query(digest).reply == [0])
        #expect(chain.send(sender, 257, digest) == .done)
        let (time, height) = (chain.time, chain.height - 1)
        #expect(chain.send(chain.owner, 257, digest) == .refused("\(String(repeating: "ab", count: 32)) is recorded already"))
        #expect(chain.query(digest).reply == [1] + sender.bytes + little(time) + little(height))
    }

    @Test("records many digests at once")
    func notarisingMany() throws {
        let chain = try TestChain("counter")
        #expect(chain.register([]) == .done)
        let digests = (UInt8(0)..<32).map { [UInt8](repeating: $0 / 2, count: 32) }
        let batch = little(UInt32(32)) + digests.flatMap { $0 }
        #expect(chain.send(sender, 259, batch) == .done)
        #expect(chain.state.storage.count == 16 && chain.state.events.count == 16)
        #expect(chain.query(digests[31]).reply.first == 1)
        #expect(chain.send(sender, 259, batch) == .refused("all of these digests are recorded already"))
        #expect(chain.send(sender, 259, little(UInt32.max) + digests[0]) == .refused("malformed digests: too short"))
        #expect(chain.send(sender, 259, little(UInt32(2)) + digests[0]) == .refused("malformed digests: too short"))
        #expect(chain.send(sender, 259, little(UInt32(33)) + digests[0] + batch.dropFirst(4)) == .refused("at most 32 digests at a time"))
    }
}
