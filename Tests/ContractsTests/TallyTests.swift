import Encoding
import Primitives
import Testing

/// The example in C: what `Docs/contracts.md` says is enough for a contract without the SDK.
@Suite("The tally, written in C", .timeLimit(.minutes(20)))
struct TallyTests {
    private let alice = Person("alice").account
    private let bob = Person("bob").account

    private func votes(_ chain: TestChain, _ choice: String) -> [UInt8] { chain.query(Array(choice.utf8)).reply }

    @Test("counts votes, and a second vote of the same account replaces its first")
    func counting() throws {
        let chain = try TestChain("tally")
        #expect(chain.send(alice, 256, Array("red".utf8)) == .done)
        #expect(chain.send(bob, 256, Array("red".utf8)) == .done)
        #expect(votes(chain, "red") == little(UInt64(2)))
        #expect(chain.send(bob, 256, Array("blue".utf8)) == .done)
        #expect(votes(chain, "red") == little(UInt64(1)))
        #expect(votes(chain, "blue") == little(UInt64(1)))
        #expect(chain.send(alice, 256, Array("blue".utf8)) == .done)
        #expect(votes(chain, "red") == little(UInt64(0)))
        #expect(votes(chain, "blue") == little(UInt64(2)))
        // Two voters and one choice are left; the choice without votes is gone.
        #expect(chain.state.storage.count == 3)
        #expect(chain.state.events.last == .init(topic: "vote", data: Array("blue".utf8)))
    }

    @Test("says what is wrong")
    func mistakes() throws {
        let chain = try TestChain("tally")
        #expect(chain.send(alice, 257, [1]) == .refused("the only action is 256, vote"))
        #expect(chain.send(alice, 256, []) == .refused("a choice is missing"))
        #expect(chain.send(alice, 256, Array(repeating: 65, count: 33)) == .refused("a choice has at most 32 bytes"))
        #expect(chain.send(alice, 256, Array(repeating: 65, count: 32)) == .done)
        #expect(chain.send(alice, 256, [1], value: 5) == .refused("this contract takes no money"))
        #expect(chain.query([]).outcome == .refused("a choice is missing"))
    }
}
