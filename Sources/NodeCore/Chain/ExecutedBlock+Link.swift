import Primitives

extension ExecutedBlock {
    /// The step to another masternode set that this block proves with its own Finalization, if it is one: what light
    /// clients and nodes that join by a snapshot follow.
    package func link(_ finalization: Finalization?) -> EpochLink? {
        guard isBorder, header.nextSetHash != header.activeSetHash, let finalization else { return nil }
        return EpochLink(header: header, finalization: finalization, nextSet: context.set)
    }
}
