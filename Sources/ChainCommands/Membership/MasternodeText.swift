import APIModel
import Primitives

/// Masternodes as people read them.
enum MasternodeText {
    static func list(_ set: MasternodesDocument) -> String {
        var table = Table([
            .right("#"), .left("name"), .left("consensus key"), .left("owner"), .right("collateral"), .left("status"),
            .left("connection"),
        ])
        for member in set.masternodes {
            table.add(
                member.index.map(String.init) ?? "-", member.name, Format.short(member.consensusKey),
                member.owner.description, Format.money(member.collateral), status(member.status),
                connection(member, set))
        }
        return """
            epoch \(set.epoch) since block \(Format.number(set.startHeight)), \(Format.time(set.startTime)); protocol \
            version \(set.protocolVersion)
            \(set.activeSet.count) masternodes agree, quorum \(set.quorum); an epoch takes at least \
            \(set.membership.epochBlocks) blocks and \(Format.duration(set.membership.epochMs))

            \(table.text(none: "none"))
            """
    }

    static func details(_ member: MasternodeDocument, _ set: MasternodesDocument) -> String {
        facts([
            ("name", member.name), ("consensus key", member.consensusKey.hex),
            ("its account", Account(member.consensusKey).description), ("owner", member.owner.description),
            ("collateral", Format.money(member.collateral)), ("status", status(member.status)),
            ("in the set", place(member, set)), ("registered", "in block \(Format.number(member.registeredAt))"),
            ("last seen", lastSeen(member)),
            ("connection", connection(member, set)),
        ])
    }

    static func status(_ status: MasternodeDocument.Status) -> String {
        let unlock = status.unlocksAt.map { ", collateral locked until \(Format.time($0.wrappedValue)) at least" } ?? ""
        return switch status.kind {
        case .active: "active since epoch \(status.epoch)"
        case .waiting: "waiting, active from epoch \(status.epoch)"
        case .suspended: "suspended in epoch \(status.epoch)"
        case .leaving: "leaving since epoch \(status.epoch)" + unlock
        case .removed: "voted out in epoch \(status.epoch)" + unlock
        case .slashed: "slashed in epoch \(status.epoch)"
        }
    }

    static func place(_ member: MasternodeDocument, _ set: MasternodesDocument) -> String {
        let next = member.nextIndex.map { "place \($0) in the next one's" } ?? "not in the next one's"
        guard let index = member.index else { return "not in that of epoch \(set.epoch), \(next)" }
        return "place \(index) of \(set.activeSet.count) in epoch \(set.epoch), \(next)"
    }

    /// Of one that waits the chain notes an epoch to come, since it need not be seen before.
    static func lastSeen(_ member: MasternodeDocument) -> String {
        if member.seenThisEpoch { return "in this epoch" }
        return member.status.kind == .waiting ? "not yet" : "in epoch \(member.lastSeen)"
    }

    private static func connection(_ member: MasternodeDocument, _ set: MasternodesDocument) -> String {
        let text = member.isSelf ? "this node" : member.connected ? "connected" : "not connected"
        return text + (member.isLeader ? ", leads view \(set.view)" : "")
    }
}

/// Whether a node takes part in agreeing on the blocks, and what its operator should do.
package struct Participation: Encodable {
    let node: String
    /// `masternode` or `follower`.
    let role: String
    @DecimalText var epoch: UInt64
    let catchingUp: Bool
    /// Absent where the node's key is not registered, or the node has none.
    let masternode: MasternodeDocument?
    package let advice: String
    /// Absent where the node can't read its state.
    let liveness: LivenessDocument?
    private let set: MasternodesDocument

    private enum CodingKeys: CodingKey { case node, role, epoch, catchingUp, masternode, advice, liveness }

    package init(_ status: StatusDocument, _ set: MasternodesDocument) {
        node = status.node
        role = status.role
        epoch = set.epoch
        catchingUp = status.catchingUp
        masternode = set.masternodes.first(where: \.isSelf)
        self.set = set
        liveness = status.liveness
        advice =
            if let problem = status.liveness?.problem {
                "the chain stands still: \(problem)"
            } else if let problem = status.storeProblem {
                problem
            } else if let problem = status.notVoting, masternode != nil {
                problem
            } else if let problem = status.clockProblem, masternode != nil {
                problem
            } else if let masternode {
                Self.advice(masternode, catchingUp: status.catchingUp, epoch: set.epoch)
            } else if status.role == "masternode" {
                "its consensus key is not registered: 'chain-cli masternode register --home HOME --from OWNER'"
            } else {
                "it follows the chain and does not vote. To make it a masternode: 'chain-cli masternode register --home HOME "
                    + "--from OWNER', then run it with --masternode"
            }
    }

    private static func advice(_ member: MasternodeDocument, catchingUp: Bool, epoch: UInt64) -> String {
        let key = Format.short(member.consensusKey)
        switch member.status.kind {
        case .active, .waiting:
            if catchingUp { return "wait: it fetches blocks that it missed, and votes when it has them" }
            if member.index == nil { return "keep it running: it takes part from epoch \(member.status.epoch) on" }
            if member.seenThisEpoch { return "nothing: it takes part" }
            if member.canResume(in: epoch) {
                return "bring it back: nothing of it was seen since epoch \(member.lastSeen), and it votes again after "
                    + "'chain-cli masternode resume \(key) --from OWNER'"
            }
            return
                "look whether it stays so: nothing of it stands in a block of epoch \(epoch) yet. A masternode of which "
                + "nothing is seen for a whole epoch is suspended. Its log, its clock and 'peers' in 'chain-cli status' show why"
        case .suspended:
            if member.index != nil || member.nextIndex != nil {
                return
                    "keep it running to the end of the epochs whose set has it, and bring it back: 'chain-cli masternode "
                    + "resume \(key) --from OWNER'"
            }
            return catchingUp
                ? "wait until it has caught up, then: 'chain-cli masternode resume \(key) --from OWNER'"
                : "bring it back: 'chain-cli masternode resume \(key) --from OWNER'"
        case .leaving, .removed:
            let locked =
                member.status.unlocksAt.map {
                    " The collateral comes back at the first epoch border after \(Format.time($0.wrappedValue))"
                } ?? ""
            return
                (member.index != nil || member.nextIndex != nil
                ? "keep it running: it is still in a set that was fixed before." : "it may stop.") + locked
        case .slashed:
            return
                "stop it: it contradicted itself, its collateral is gone and its key never comes back. To go on, make a new "
                + "home with 'chaind init' and register that"
        }
    }

    var text: String {
        facts([
            ("node", "\(node), \(role)" + (catchingUp ? ", catching up" : "")),
            ("masternode", masternode.map { "\($0.name), consensus key \($0.consensusKey)" } ?? "no"),
            ("status", masternode.map { MasternodeText.status($0.status) }),
            ("in the set", masternode.map { MasternodeText.place($0, set) }),
            (
                "last seen",
                masternode.map { MasternodeText.lastSeen($0) + ($0.seenThisEpoch ? "" : ", now is epoch \(epoch)") }
            ),
            ("what to do", advice),
        ])
    }
}
