import APIModel
import Hummingbird
import Primitives

extension Routes {
    static let membership: [Route] = [
        Route(
            method: .get, path: "/v1/masternodes", weight: .expensive,
            operation: Operation(
                "getMasternodes",
                "The epoch and everybody who is or was a masternode: status, place in the sets, who leads, who is connected",
                .json("Masternodes"), errors: [429, 503])
        ) { _, node in .document(MasternodesDocument(try await node.backend.masternodes())) },
        Route(
            method: .get, path: "/v1/masternodes/{consensusKey}", weight: .light,
            operation: Operation(
                "getMasternode", "One masternode", .json("Masternode"),
                parameters: [.path("consensusKey", "Hash", "its consensus key")], errors: [400, 404])
        ) { input, node in
            let key = try input.publicKey("consensusKey")
            guard let found = try await node.backend.masternode(key) else {
                throw APIError.unknown(
                    "masternode", "no masternode has the consensus key \(key); /v1/masternodes lists them")
            }
            return .document(MasternodeDocument(found))
        },
        Route(
            method: .get, path: "/v1/proposals", weight: .light,
            operation: Operation(
                "getProposals", "What the masternodes vote and voted on, newest first", .json("Proposals"),
                parameters: [
                    .query("before", "U64", "only numbers below this one: next of the page before"),
                    .count("limit", 1...100, "proposals at most, 50 if absent"),
                ], errors: [400])
        ) { input, node in
            let before = try input.optionalNumber("before")
            let limit = Int(try input.number("limit", default: 50, in: 1...100))
            return .document(ProposalsDocument(try await node.backend.proposals(before: before, limit: limit)))
        },
        Route(
            method: .get, path: "/v1/proposals/{number}", weight: .light,
            operation: Operation(
                "getProposal", "One proposal and who voted on it", .json("Proposal"),
                parameters: [.path("number", "U64", "number of the proposal, from 1")], errors: [400, 404])
        ) { input, node in
            let number = try input.count("number")
            guard let found = try await node.backend.proposal(number) else {
                throw APIError.unknown("proposal", "there is no proposal \(number); /v1/proposals lists them")
            }
            return .document(ProposalDocument(found))
        },
        Route(
            method: .get, path: "/v1/parameters", weight: .light,
            operation: Operation(
                "getParameters", "The chain's parameters as they are now, and as the genesis has them",
                .json("Parameters"))
        ) { _, node in
            .document(ParametersDocument(try await node.backend.parameters(), genesis: node.backend.genesis))
        },
    ]
}
