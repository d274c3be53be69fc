import APIModel
import Cryptography
import Primitives

/// Who agrees on the blocks, and what they decided.
extension ChainClient {
    public func masternodes() async throws -> MasternodesDocument { try await get(call("/v1/masternodes")) }

    /// Nil for a key that was never registered, or whose masternode left and has its collateral back.
    public func masternode(_ key: PublicKey) async throws -> MasternodeDocument? {
        try await find(call("/v1/masternodes/\(key)"))
    }

    /// Proposals, newest first.
    /// - Parameter limit: stops after about this many.
    public func proposals(limit: Int = 1_000) async throws -> ProposalsDocument {
        var all: ProposalsDocument = try await get(call("/v1/proposals?limit=100"))
        while let before = all.next?.wrappedValue, all.proposals.count < limit {
            let page: ProposalsDocument = try await get(call("/v1/proposals?limit=100&before=\(before)"))
            all.proposals += page.proposals
            guard page.next?.wrappedValue ?? 0 < before else { break }
            all.next = page.next
        }
        return all
    }

    public func proposal(_ number: UInt64) async throws -> ProposalDocument? {
        try await find(call("/v1/proposals/\(number)"))
    }

    public func parameters() async throws -> ParametersDocument { try await get(call("/v1/parameters")) }
}

extension TransactionRequest {
    /// - Parameter collateral: exactly what the chain's parameters say.
    public static func register(_ masternode: RegisterMasternode, collateral: UInt128) -> TransactionRequest {
        TransactionRequest(
            service: .chain, action: .registerMasternode, data: masternode.borsh, value: collateral)
    }

    public static func unregisterMasternode(_ key: PublicKey) -> TransactionRequest {
        TransactionRequest(
            service: .chain, action: .unregisterMasternode, data: MasternodeReference(consensusKey: key).borsh)
    }

    public static func resumeMasternode(_ key: PublicKey) -> TransactionRequest {
        TransactionRequest(
            service: .chain, action: .resumeMasternode, data: MasternodeReference(consensusKey: key).borsh)
    }

    public static func propose(_ change: Change, from epoch: Epoch) -> TransactionRequest {
        TransactionRequest(
            service: .chain, action: .proposeChange, data: ProposeChange(change: change, from: epoch).borsh)
    }

    public static func vote(on proposal: UInt64, approves: Bool) -> TransactionRequest {
        TransactionRequest(
            service: .chain, post: PostId(proposal: proposal), action: .voteProposal,
            data: Ballot(approves: approves).borsh)
    }
}
