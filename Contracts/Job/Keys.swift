/// The storage layout. A commit touches `state`, `slot` and `commitment`, and nothing else.
enum Keys {
    static var spec: Key<JobSpec> { "spec" }
    static var state: Key<JobState> { "state" }
    /// The running round's validation.
    static var validation: Key<Validation> { "validation" }
    /// Accepted rounds by slot.
    static var credits: Key<Credits> { "credits" }

    static func slot(of account: Account) -> Key<UInt8> { Key("slot/", account) }
    static func participant(_ slot: UInt8) -> Key<Participant> { Key("participant/", slot) }
    /// The commitment of the running round, or of an older one.
    static func commitment(_ slot: UInt8) -> Key<Digest> { Key("commitment/", slot) }
    /// What a participant revealed last.
    static func result(_ slot: UInt8) -> Key<RoundResult> { Key("result/", slot) }
    /// The last 64 rounds, by round number modulo 64.
    static func history(_ round: UInt32) -> Key<RoundRecord> {
        Key("history/", UInt8(truncatingIfNeeded: round % RoundRecord.kept))
    }
}
