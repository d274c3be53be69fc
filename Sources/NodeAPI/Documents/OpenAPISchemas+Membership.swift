import APIModel

extension OpenAPISchemas {
    static let membership: [String: JSONValue] = [
        "Masternodes": masternodes,
        "Masternode": masternode,
        "Proposals": object([
            property("epoch", "U64", "now"), count("quorum", "approvals by the epoch's set that accept a proposal"),
            list("proposals", "Proposal", "newest first"),
            property("next", "U64", "before of the next page; absent on the last").optional,
        ]),
        "Proposal": proposal,
        "Change": change,
        "Parameters": object([
            property("epoch", "U64", "now"), count("protocolVersion", "of the protocol that the epoch runs"),
            list("parameters", "Parameter", "in the order of their bytes; Genesis/README.md explains them"),
        ]),
        "Parameter": object([
            property("name", "Text"), property("value", "U64", "now"),
            property("genesisValue", "U64", "in the genesis"),
            flag("isChangeable", "whether the masternodes can change it"),
        ]),
    ]

    private static let masternodes = object([
        property("epoch", "U64"), count("protocolVersion", "of the protocol that the epoch runs"),
        property("startHeight", "U64", "of the block on which the epoch started"),
        property("startTime", "U64", "header time of that block, ms since 1970"), property("view", "U64"),
        count("leader", "place of the view's leader"),
        count("quorum", "votes that make a certificate, and that accept a proposal"),
        inline(
            "membership",
            [
                property("collateral", "U64", "smallest units that a masternode locks"),
                property("epochBlocks", "U64", "blocks of an epoch, at least"),
                property("epochMs", "U64", "its length, at least"),
                property("unbondingMs", "U64", "how long collateral stays locked after a masternode left, at least"),
                property("evidenceEpochs", "U64", "epochs after its own in which evidence counts"),
                property("rewardPerEpoch", "U64", "smallest units that each epoch makes"),
            ]),
        property("rewardPool", "U128", "smallest units that wait to become rewards"),
        list(
            "masternodes", "Masternode", "this epoch's set in its order, then other registered ones, then slashed ones"),
    ])

    private static let masternode = object([
        property("name", "Text"), property("consensusKey", "Hash"), property("owner", "Address"),
        property("collateral", "U128", "locked on the account of the consensus key; 0 once slashed"),
        inline(
            "status",
            [
                choice("kind", MasternodeDocument.Status.Kind.allCases.map(\.rawValue)),
                property("epoch", "U64", "from which it takes part (active, waiting), else in which it came to this"),
                property("unlocksAt", "U64", "ms since 1970 before which the collateral does not come back").optional,
            ]),
        property("registeredAt", "U64", "height"),
        property("lastSeen", "U64", "last epoch in which a vote or proposal of its stood in a block"),
        flag("seenThisEpoch", "whether one stood in a block of this epoch"),
        count("index", "place in this epoch's set, if it is in it").optional,
        count("nextIndex", "place in the next epoch's set, if it is in it").optional,
        flag("connected", "to the answering node"), flag("isSelf", "it is the answering node"),
        flag("isLeader", "of the view"),
    ])

    private static let change = object([
        choice("kind", ChangeDocument.Kind.allCases.map(\.rawValue)),
        property("parameter", "Text", "name of the parameter").optional,
        property("value", "U64", "its new value").optional,
        property("consensusKey", "Hash", "of the masternode that is to leave").optional,
        count("protocolVersion", "of the protocol that is to run").optional,
        property("description", "Text", "for people"),
    ])

    private static let proposal = object([
        property("number", "U64"), property("proposer", "Address"), property("change", "Change"),
        property("from", "U64", "epoch from whose start on it holds"), property("proposedIn", "U64", "epoch"),
        list("approvals", "Hash", "consensus keys, in the order of the votes"),
        list("rejections", "Hash", "consensus keys, in the order of the votes"),
        choice("outcome", ProposalDocument.Outcome.allCases.map(\.rawValue)),
    ])
}
