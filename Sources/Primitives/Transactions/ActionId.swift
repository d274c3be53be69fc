import Encoding

/// What a transaction does (architecture, section 2): 1 to 9 are EdgenceChain's, 16 to 255 the chain's own under
/// `serviceId = "chain"`, from 256 on they belong to the service's contract.
public struct ActionId: BorshCodable, Hashable, Comparable, Sendable, CustomStringConvertible {
    public let value: UInt16
    public init(_ value: UInt16) { self.value = value }

    public static let voteProposal = ActionId(1)
    public static let postSecondLayerId = ActionId(2)
    public static let distributeTask = ActionId(3)
    public static let reservingConfirmation = ActionId(4)
    public static let applicationTask = ActionId(5)
    public static let commitmentTask = ActionId(6)
    public static let releaseRelation = ActionId(7)
    public static let paymentRequester = ActionId(8)
    public static let paymentWorkerSignature = ActionId(9)

    public static let transfer = ActionId(16)
    public static let registerMasternode = ActionId(17)
    public static let unregisterMasternode = ActionId(18)
    public static let resumeMasternode = ActionId(19)
    public static let reportEquivocation = ActionId(20)
    public static let proposeChange = ActionId(21)
    public static let uploadContract = ActionId(22)
    public static let registerService = ActionId(23)
    public static let rotateKey = ActionId(24)
    public static let renewBeacon = ActionId(25)
    public static let lockMoney = ActionId(32)
    public static let unlockMoney = ActionId(33)
    public static let cancelTransaction = ActionId(26)
    public static let removeContract = ActionId(34)
    public static let inviteMembers = ActionId(35)
    public static let accuse = ActionId(36)
    public static let narrowDispute = ActionId(37)
    public static let judgeDispute = ActionId(38)
    public static let upgradeService = ActionId(27)
    public static let transferService = ActionId(28)
    public static let retireService = ActionId(29)

    public enum Range: Sendable { case invalid, edgence, reserved, chain, contract }

    public var range: Range {
        switch value {
        case 1...9: .edgence
        case 16...255: .chain
        case 256...: .contract
        case 0: .invalid
        default: .reserved
        }
    }

    /// The name that people see; `action 300` for a contract's own.
    public var description: String { Self.names[value] ?? "action \(value)" }

    private static let names: [UInt16: String] = [
        1: "voteProposal", 2: "postSecondLayerId", 3: "distributeTask", 4: "reservingConfirmation",
        5: "applicationTask", 6: "commitmentTask", 7: "releaseRelation", 8: "paymentRequester",
        9: "paymentWorkerSignature", 16: "transfer", 17: "registerMasternode", 18: "unregisterMasternode",
        19: "resumeMasternode", 20: "reportEquivocation", 21: "proposeChange", 22: "uploadContract",
        23: "registerService", 24: "rotateKey", 25: "renewBeacon", 26: "cancelTransaction",
        27: "upgradeService", 28: "transferService", 29: "retireService", 32: "lockMoney", 33: "unlockMoney",
        34: "removeContract", 35: "inviteMembers",
        36: "accuse", 37: "narrowDispute", 38: "judgeDispute",
    ]

    public static func < (lhs: ActionId, rhs: ActionId) -> Bool { lhs.value < rhs.value }
    public func encode(to encoder: inout BorshEncoder) { encoder.integer(value) }
    public init(from decoder: inout BorshDecoder) throws(BorshError) { value = try decoder.integer() }
}
