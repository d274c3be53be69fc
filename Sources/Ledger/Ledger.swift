import Cryptography
import Encoding
import Primitives

/// # Ledger
///
/// What blocks mean: which ones are valid on a state, and what executing them changes. It reads state through
/// ``StateReader`` and gives back a ``StateDelta``, receipts and history entries; it stores nothing and computes no
/// state root.
///
/// The module promises
/// - **determinism**: the same block on the same state gives the same delta, receipts and gas on every machine, in
///   the same order; no clock, no floating point, no order of a hash table enters;
/// - **totality**: a valid block always executes; the only error is that of the reader (``LedgerError``). Whatever a
///   transaction or a contract does, the worst is a failed receipt that changes sequence, credits and history alone;
/// - **conservation**: balances, locked collateral, state deposits and the reward pool add up to the supply, which only
///   the genesis, the reward of an epoch's border and a slash change. All of them move in ``Treasury`` alone, and every
///   block is checked, in release builds too (``LedgerError/notConserved(_:made:supply:)``);
/// - **bounded work**: all the resource credits of all accounts together are at most `supply / balancePerCredit`, and
///   every key of the state that a user made locks a deposit;
/// - **validity apart from execution**: what contracts do never decides whether a block is valid. The rules look at
///   the parent's state alone (``checkBody(_:parent:state:context:firstUnauthorized:)``), and the
///   proposer's selection and the admission to the pool share them.
///
/// A `Ledger` belongs to one chain. It is immutable but for its cache of parsed contracts, so copies may be used from
/// any thread.
public struct Ledger: Sendable {
    public let genesis: Genesis
    public let genesisHash: Digest
    /// Checks certificates, evidence and consents: Ed25519 in a network.
    let verifier: any SignatureVerifier
    let rules: LedgerRules
    let modules: ModuleCache

    /// - Parameter cachedModuleBytes: how much memory parsed contracts may take.
    public init(
        genesis: Genesis, verifier: any SignatureVerifier = Ed25519Verifier(), cachedModuleBytes: Int = 64 << 20
    ) {
        self.init(genesis: genesis, verifier: verifier, cachedModuleBytes: cachedModuleBytes, rules: LedgerRules())
    }

    package init(genesis: Genesis, verifier: any SignatureVerifier, cachedModuleBytes: Int = 64 << 20, rules: LedgerRules) {
        self.rules = rules
        self.genesis = genesis
        self.verifier = verifier
        genesisHash = genesis.hash
        modules = ModuleCache(capacity: cachedModuleBytes)
    }

    /// The parameters that hold after the block of this state: what governance changed lies in the state.
    public func parameters(_ state: any StateReader) throws(LedgerError) -> Parameters {
        try state.read(.parameters) ?? genesis.parameters
    }
}

/// Why the ledger cannot go on: the state could not be read, or what was read is not what the ledger wrote. Neither
/// says anything about the block or transaction at hand.
public enum LedgerError: Error, Equatable, Sendable, CustomStringConvertible {
    case storage(String)
    case corruptState(StateKey, String)
    /// The block was not checked before it was executed: its proposer is no member of the set.
    case unknownProposer(UInt16)
    /// Executing the block would make or lose money: balances, collateral, deposits and pool changed by `made`, the
    /// supply by `supply`, both modulo 2^128. A fault of the program: going on would hand it to everybody.
    case notConserved(Height, made: UInt128, supply: UInt128)

    public var description: String {
        switch self {
        case .storage(let reason): "the state cannot be read: \(reason)"
        case .corruptState(let key, let reason): "the state's value at \(key) is damaged: \(reason)"
        case .notConserved(let height, let made, let supply):
            "block \(height) would make or lose money: accounts and pool changed by \(Int128(truncatingIfNeeded: made)), the supply by \(Int128(truncatingIfNeeded: supply))"
        case .unknownProposer(let index): "the block's proposer \(index) is no member of the masternode set"
        }
    }
}
