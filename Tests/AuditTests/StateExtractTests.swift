import Audit
import Cryptography
import Encoding
import Primitives
import StateTree
import Testing

/// What a client that trusts no node takes for the state.
@Suite(.timeLimit(.minutes(20))) struct StateExtractTests {
    private let chain: Chain

    init() throws { chain = try Chain() }

    private var keys: [StateKey] { [.account(chain.account), .scheduleSlot(3), .scheduleSlot(99)] }

    private func extract(signers: [Int] = [0, 1, 3]) throws -> StateExtract {
        let (state, root) = try chain.state()
        let header = chain.header(9, parent: Digest(sha256: [9]), stateRoot: root)
        return StateExtract(
            genesisHash: chain.genesis.hash, links: [], header: header,
            finalization: try #require(try chain.finalization(of: header, signers: signers)),
            entries: try zip(keys, [chain.record.borsh, [3], nil]).map { key, value in
                StateExtract.Entry(
                    key: key.bytes, value: value, proof: try StateTree.prove(reader: state, path: key.path).proof)
            })
    }

    private func changed(_ extract: StateExtract, entries: [StateExtract.Entry]) -> StateExtract {
        StateExtract(
            genesisHash: extract.genesisHash, links: extract.links, header: extract.header,
            finalization: extract.finalization, entries: entries)
    }

    @Test func whatTheChainHoldsIsProven() throws {
        let made = try extract()
        let state = try StateExtract(borsh: made.borsh).verify(genesis: chain.genesis, keys: keys)
        #expect(state.height == Height(9) && state.time == Time(9_000))
        #expect(try state.decode(keys[0], as: AccountRecord.self) == chain.record)
        #expect(state[keys[1]] == [3])
        #expect(state[keys[2]] == nil, "an absence is proven, too")
    }

    @Test func aLieIsRefused() throws {
        let made = try extract()
        let (entries, genesis) = (made.entries, chain.genesis)
        func error(_ extract: StateExtract, _ asked: [StateKey]? = nil) -> StateExtractError? {
            do { _ = try extract.verify(genesis: genesis, keys: asked ?? keys) } catch { return error }
            return nil
        }
        let other = StateExtract.Entry(key: entries[1].key, value: [4], proof: entries[1].proof)
        #expect(error(changed(made, entries: [entries[0], other, entries[2]])) == .unproven(keys[1]))
        let denied = StateExtract.Entry(key: entries[1].key, value: nil, proof: entries[2].proof)
        #expect(error(changed(made, entries: [entries[0], denied, entries[2]])) == .unproven(keys[1]))
        let invented = StateExtract.Entry(key: entries[2].key, value: [9], proof: entries[1].proof)
        #expect(error(changed(made, entries: [entries[0], entries[1], invented])) == .unproven(keys[2]))
        #expect(error(changed(made, entries: Array(entries.dropLast()))) == .otherKeys)
        #expect(error(changed(made, entries: [entries[1], entries[0], entries[2]])) == .otherKeys)
        #expect(error(made, Array(keys.reversed())) == .otherKeys)
        guard case .notCertified = error(try extract(signers: [0, 1])) else { return #expect(Bool(false), "two of four") }
        let elsewhere = StateExtract(
            genesisHash: Digest(sha256: [8]), links: [], header: made.header, finalization: made.finalization,
            entries: entries)
        guard case .otherGenesis = error(elsewhere) else { return #expect(Bool(false)) }
        let (_, root) = try chain.state()
        let forged = StateExtract(
            genesisHash: made.genesisHash, links: [], header: chain.header(10, parent: .zero, stateRoot: root),
            finalization: made.finalization, entries: entries)
        guard case .notCertified = error(forged) else { return #expect(Bool(false), "another header") }
    }

    @Test func everyChangedByteIsSeen() throws {
        let bytes = try extract().borsh
        var taken = 0
        for place in stride(from: 0, to: bytes.count, by: 3) {
            var changed = bytes
            changed[place] ^= 1
            if let extract = try? StateExtract(borsh: changed),
                (try? extract.verify(genesis: chain.genesis, keys: keys)) != nil
            { taken += 1 }
        }
        #expect(taken == 0)
    }
}
