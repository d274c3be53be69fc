/// Rules of epochs as switches. In the product all are as they should be; tests change one to see that the simulator
/// notices (a mutation without a rebuild).
package struct LedgerRules: Sendable, Hashable {
    /// Blocks by which an epoch is longer than its parameters say.
    package var borderDelay: UInt64 = 0
    /// What a slash burns leaves the supply.
    package var burnsWhatIsSlashed = true
    /// A slash takes the key out of the sets to come.
    package var removesTheSlashed = true

    /// Units that each block gives its proposer out of nothing.
    package var makesMoney: UInt128 = 0

    package init() {}
}
