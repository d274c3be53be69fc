import Consensus
import Primitives

/// What a peer did that no honest node does, as the machine finds it. What it weighs is the host's matter.
public enum Offence: Hashable, Sendable, CustomStringConvertible {
    /// A vote, signature or certificate that its supposed signer did not make.
    case consensus(Misbehaviour)
    /// A transaction whose signature is wrong: whoever passes one on has checked it.
    case badSignature
    /// A body that its header does not bind.
    case unboundBody
    /// A body that was not asked for, of a view in which its sender does not lead.
    case unwantedBody
    /// Blocks that do not follow one another.
    case brokenSpan
    /// Blocks without a Finalization that proves them.
    case unprovenBlocks
    /// A height that no chain can have reached by now.
    case impossibleHead(Height)
    /// A request for blocks that its head promised was not answered in time.
    case silence

    public var description: String {
        switch self {
        case .consensus(let kind): "\(kind)"
        case .badSignature: "passed on a transaction with a wrong signature"
        case .unboundBody: "sent a body that its header does not bind"
        case .unwantedBody: "sent a body that nobody asked for"
        case .brokenSpan: "sent blocks that do not follow one another"
        case .unprovenBlocks: "sent blocks without a valid Finalization"
        case .impossibleHead(let height): "says that its head is \(height), which no chain can have reached"
        case .silence: "does not answer requests for the blocks that it says it has"
        }
    }
}
