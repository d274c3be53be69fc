import Cryptography
import Encoding
import Primitives

/// The chain's own actions (architecture, section 2), under `serviceId = "chain"`.
extension Executor {
    /// Returns what a contract that ran on the way returned.
    func performNative(_ transaction: Transaction, gas: inout GasMeter) throws(Halt) -> [UInt8] {
        switch transaction.actionId {
        case .transfer:
            try transfer(transaction, gas: &gas)
        case .uploadContract:
            try uploadContract(transaction, gas: &gas)
        case .removeContract: try removeContract(transaction, gas: &gas)
        case .inviteMembers: try inviteMembers(transaction, gas: &gas)
        case .registerService:
            return try registerService(transaction, gas: &gas)
        case .upgradeService: return try upgradeService(transaction, gas: &gas)
        case .transferService: try transferService(transaction, gas: &gas)
        case .retireService: return try retireService(transaction, gas: &gas)
        case .registerMasternode: try registerMasternode(transaction, gas: &gas)
        case .unregisterMasternode: try unregisterMasternode(transaction, gas: &gas)
        case .resumeMasternode: try resumeMasternode(transaction, gas: &gas)
        case .reportEquivocation: try reportEquivocation(transaction, gas: &gas)
        case .renewBeacon: try renewBeacon(transaction, gas: &gas)
        case .proposeChange: return try proposeChange(transaction, gas: &gas)
        case .lockMoney: try lockMoney(transaction, gas: &gas)
        case .unlockMoney: try unlockMoney(transaction, gas: &gas)
        case .accuse: try accuse(transaction, gas: &gas)
        case .narrowDispute: try narrowDispute(transaction, gas: &gas)
        case .judgeDispute: try judgeDispute(transaction, gas: &gas)
        case .voteProposal: try voteProposal(transaction, gas: &gas)
        // Its whole effect is to have taken the sequence.
        case .cancelTransaction: break
        default:
            throw .failed(Refusal.notAvailable(transaction.actionId).description)
        }
        return []
    }

    private func transfer(_ transaction: Transaction, gas: inout GasMeter) throws(Halt) {
        let data: Transfer = try decode(transaction)
        try gas.charge(writeGas(.account(data.recipient)))
        guard !data.recipient.publicKey.isOfSmallOrder else {
            throw .failed("the recipient is a key of small order: anybody can sign for it")
        }
        try pay(transaction.value, from: transaction.sender, to: data.recipient)
    }

    /// Registers a service: its name, its contract's account with the value as deposit, and the contract's `init`.
    private func registerService(_ transaction: Transaction, gas: inout GasMeter) throws(Halt) -> [UInt8] {
        let data: RegisterService = try decode(transaction)
        try gas.charge(parameters.storageGas(reads: 2, writes: 5, bytes: 1_024))
        guard !data.service.bytes.isEmpty else { throw .failed("a service needs a name") }
        guard data.service != .chain else { throw .failed("'chain' is the chain's own name") }
        guard try service(data.service) == nil else {
            throw .failed("the service name '\(data.service)' is taken")
        }
        try beginUse(of: data.codeHash)
        let contract = Account.contract(creator: transaction.sender, sequence: transaction.sequence)
        let record = ServiceRecord(
            service: data.service, contract: contract, owner: transaction.sender, codeHash: data.codeHash,
            kind: data.kind, validator: data.validator, sponsorship: data.sponsorship, registeredAt: height)
        try hold(parameters.serviceDeposit, of: transaction.sender, for: "a service")
        overlay.set(.service(data.service), record)
        overlay.set(.contract(contract), data.service)
        // The contract's account: its record is part of what the owner has just paid for.
        try setAccount(contract, try account(contract))
        // Its credits come along, so that the contract can act at once.
        try pay(transaction.value, from: transaction.sender, to: contract, carryingCredits: true)
        return try call(
            record, entry: .initialise, kind: .initialise, caller: transaction.sender, signer: transaction.sender, value: transaction.value,
            input: data.initData, gas: &gas)
    }

    func refuseValue(of transaction: Transaction) throws(Halt) {
        guard transaction.value == 0 else { throw .failed("\(transaction.actionId) takes no value") }
    }

    func decode<Data: BorshDecodable>(_ transaction: Transaction) throws(Halt) -> Data {
        do { return try Data(borsh: transaction.data) } catch {
            throw .failed(Refusal.malformedData(transaction.actionId, error.description).description)
        }
    }
}
