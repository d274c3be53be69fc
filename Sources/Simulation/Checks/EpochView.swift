import NodeCore
import Primitives

/// Where consensus stands: views count anew in each epoch.
struct EpochView: Hashable, Comparable, CustomStringConvertible {
    let epoch: Epoch
    let view: View

    var description: String { epoch == .zero ? "view \(view)" : "epoch \(epoch) view \(view)" }

    static func < (lhs: EpochView, rhs: EpochView) -> Bool { (lhs.epoch, lhs.view) < (rhs.epoch, rhs.view) }
}

extension NodeMachine {
    var position: EpochView { EpochView(epoch: epoch.epoch, view: view) }
}

extension VoteSubject {
    var position: EpochView { EpochView(epoch: epoch, view: view) }
}
