extension FogDifferenceMessage {
    /// How much larger a poisoner makes its difference: enough to undo the work of four honest fog nodes.
    public static let poison: Float = -5

    /// What a fog node sends that wants to do harm: its difference backwards and five times as large. For experiments;
    /// nil where there are no values to turn round, as under masks.
    public var poisoned: FogDifferenceMessage? {
        guard let values = difference.values else { return nil }
        return FogDifferenceMessage(
            round: round, step: step, samples: samples, loss: loss, difference: .dense(values.map { $0 * Self.poison }))
    }
}
