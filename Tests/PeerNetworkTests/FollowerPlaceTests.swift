import PeerNetwork
import Testing

/// Who gets one of the few places for followers.
@Suite(.timeLimit(.minutes(20))) struct FollowerPlaceTests {
    private static func place(_ address: String, _ taken: [String?: Int]) -> FollowerPlace {
        .for(address, taken: taken, limit: 8, perAddress: 6)
    }

    @Test func placesAreBoundedForEachAddressAndInAll() {
        #expect(Self.place("a", [:]) == .free)
        #expect(Self.place("a", ["a": 5]) == .free)
        #expect(Self.place("a", ["a": 6]) == .none)
        #expect(Self.place("a", ["a": 6, "b": 2]) == .none)
        #expect(Self.place("b", ["a": 6, "b": 1]) == .free)
    }

    /// Two addresses that hold all places keep nobody out; as many addresses as there are places do.
    @Test func aNewcomerGetsAPlaceOfWhoHasMost() {
        #expect(Self.place("c", ["a": 6, "b": 2]) == .insteadOf("a"))
        #expect(Self.place("c", ["a": 4, "b": 4]) == .insteadOf("b"), "one of them, always the same")
        // Nobody takes what would only be taken back.
        #expect(Self.place("b", ["a": 5, "b": 3]) == .insteadOf("a"))
        #expect(Self.place("b", ["a": 4, "b": 4]) == .none)
        #expect(Self.place("c", Dictionary(uniqueKeysWithValues: (0..<8).map { ("\($0)", 1) })) == .none)
        #expect(Self.place("a", ["a": 5, nil: 3]) == .none)
    }

    /// From two addresses to all that come: whoever comes next, in the end all have about as much.
    @Test func newcomersEndUpWithFairShares() {
        var taken: [String?: Int] = ["a": 6, "b": 2]
        for _ in 0..<20 {
            for address in ["c", "d", "a", "b"] {
                switch Self.place(address, taken) {
                case .free: taken[address, default: 0] += 1
                case .insteadOf(let other):
                    taken[other, default: 0] -= 1
                    taken[address, default: 0] += 1
                case .none: break
                }
                #expect(taken.values.reduce(0, +) == 8)
            }
        }
        #expect(taken.values.allSatisfy { (1...3).contains($0) }, "\(taken)")
    }
}
