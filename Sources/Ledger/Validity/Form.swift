import Encoding
import Primitives

/// Rules that a transaction keeps or breaks by itself, whatever the state.
struct Form {
    let parameters: Parameters

    /// - Parameter byteCount: of the encoded signed transaction.
    func refusal(of transaction: Transaction, byteCount: Int) -> Refusal? {
        guard byteCount <= ChainLimits.transactionBytes else {
            return .oversize(bytes: byteCount, limit: ChainLimits.transactionBytes)
        }
        guard !transaction.sender.publicKey.isOfSmallOrder else { return .smallOrder(transaction.sender) }
        if let refusal = actionRefusal(transaction) { return refusal }
        let needed = parameters.intrinsicGas(dataBytes: transaction.data.count)
        guard transaction.gasLimit >= needed else { return .gasLimitTooLow(transaction.gasLimit, needed: needed) }
        guard transaction.gasLimit <= parameters.transactionGas else {
            return .gasLimitTooHigh(transaction.gasLimit, limit: parameters.transactionGas)
        }
        return nil
    }

    private func actionRefusal(_ transaction: Transaction) -> Refusal? {
        let action = transaction.actionId
        switch action.range {
        case .invalid, .reserved: return .noSuchAction(action)
        case .edgence where transaction.serviceId == .chain && action == .voteProposal:
            guard (try? Ballot(borsh: transaction.data)) != nil else {
                return .malformedData(action, "a ballot is one byte: 1 approves, 0 rejects")
            }
            guard transaction.postId.proposalNumber != nil else {
                return .malformedData(action, "postId '\(transaction.postId)' is not the number of a proposal")
            }
            return nil
        case .edgence, .contract: return nil
        case .chain: break
        }
        guard transaction.serviceId == .chain else { return .chainActionElsewhere(action, transaction.serviceId) }
        do {
            switch action {
            case .transfer: _ = try Transfer(borsh: transaction.data)
            case .registerService: _ = try RegisterService(borsh: transaction.data)
            case .uploadContract: break
            case .removeContract: _ = try RemoveContract(borsh: transaction.data)
            case .inviteMembers: _ = try InviteMembers(borsh: transaction.data)
            case .registerMasternode: _ = try RegisterMasternode(borsh: transaction.data)
            case .unregisterMasternode, .resumeMasternode: _ = try MasternodeReference(borsh: transaction.data)
            case .reportEquivocation: _ = try Evidence(borsh: transaction.data)
            case .upgradeService: _ = try UpgradeService(borsh: transaction.data)
            case .transferService: _ = try TransferService(borsh: transaction.data)
            case .retireService: _ = try RetireService(borsh: transaction.data)
            case .renewBeacon: _ = try RenewBeacon(borsh: transaction.data)
            case .proposeChange: _ = try ProposeChange(borsh: transaction.data)
            case .lockMoney: break
            case .unlockMoney: _ = try UnlockMoney(borsh: transaction.data)
            case .accuse: _ = try Accusation(borsh: transaction.data)
            case .narrowDispute: _ = try DisputeMove(borsh: transaction.data)
            case .judgeDispute: _ = try DisputeVote(borsh: transaction.data)
            case .cancelTransaction:
                _ = try CancelTransaction(borsh: transaction.data)
                guard transaction.value == 0 else { return .malformedData(action, "a cancellation takes no value") }
            case .rotateKey: return .notAvailable(action)
            default: return .noSuchAction(action)
            }
        } catch {
            return .malformedData(action, error.description)
        }
        return nil
    }
}

/// Rules about time: `validUntil` bounds how long a transaction can wait.
extension Parameters {
    func timeRefusal(of transaction: Transaction, at time: Time) -> Refusal? {
        guard transaction.validUntil >= time else { return .expired(validUntil: transaction.validUntil, now: time) }
        let latest = time.advanced(by: validityMs)
        guard transaction.validUntil <= latest else {
            return .validTooLong(validUntil: transaction.validUntil, latest: latest)
        }
        return nil
    }
}
