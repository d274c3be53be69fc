import Cryptography
import Encoding

/// What an account asks the chain to do and record (architecture, section 2).
public struct Transaction: BorshCodable, Hashable, Sendable {
    public static let currentVersion: UInt8 = 1

    public let version: UInt8
    public let sender: Account
    /// Contiguous per account, from 0: stops replays and numbers the account's own actions.
    public let sequence: UInt64
    /// Latest header time of a block that may hold it.
    public let validUntil: Time
    public let gasLimit: UInt64
    /// Smallest units of money that go to the service's escrow, or to the recipient of a transfer.
    public let value: UInt128
    public let serviceId: ServiceId
    public let postId: PostId
    public let actionId: ActionId
    /// At most ``ChainLimits/transactionDataBytes``.
    public let data: [UInt8]

    public init(
        sender: Account, sequence: UInt64, validUntil: Time, gasLimit: UInt64, value: UInt128 = 0,
        serviceId: ServiceId, postId: PostId = .none, actionId: ActionId, data: [UInt8]
    ) throws(TransactionError) {
        guard data.count <= ChainLimits.transactionDataBytes else { throw .dataTooLong(data.count) }
        version = Self.currentVersion
        self.sender = sender
        self.sequence = sequence
        self.validUntil = validUntil
        self.gasLimit = gasLimit
        self.value = value
        self.serviceId = serviceId
        self.postId = postId
        self.actionId = actionId
        self.data = data
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(version)
        encoder.value(sender)
        encoder.integer(sequence)
        encoder.value(validUntil)
        encoder.integer(gasLimit)
        encoder.integer(value)
        encoder.value(serviceId)
        encoder.value(postId)
        encoder.value(actionId)
        encoder.variable(data)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        version = try decoder.integer()
        guard version == Self.currentVersion else {
            throw decoder.failure(.notCanonical("transaction version \(version), expected \(Self.currentVersion)"))
        }
        sender = try decoder.value()
        sequence = try decoder.integer()
        validUntil = try decoder.value()
        gasLimit = try decoder.integer()
        value = try decoder.integer()
        serviceId = try decoder.value()
        postId = try decoder.value()
        actionId = try decoder.value()
        data = try decoder.variable(limit: ChainLimits.transactionDataBytes)
    }

    /// SHA-256(domain || genesisHash || borsh(transaction)): no signature in it, so one body has one id.
    public func id(genesis: Digest) -> TransactionId {
        TransactionId(words: Digest(sha256: SigningDomain.transaction.message(genesis: genesis, body: self)).words)
    }
}

public struct TransactionId: Bytes32 {
    public let words: Words256
    public init(words: Words256) { self.words = words }
}

public enum TransactionError: Error, Equatable, CustomStringConvertible {
    case dataTooLong(Int)

    public var description: String {
        switch self {
        case .dataTooLong(let count):
            "data has \(count) bytes; a transaction holds at most \(ChainLimits.transactionDataBytes)"
        }
    }
}

/// Proof that the sender wanted the transaction.
public enum Authorization: BorshCodable, Hashable, Sendable {
    case ed25519(Signature)

    public func encode(to encoder: inout BorshEncoder) {
        switch self {
        case .ed25519(let signature):
            encoder.integer(UInt8(0))
            encoder.value(signature)
        }
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        let tag: UInt8 = try decoder.integer()
        guard tag == 0 else { throw decoder.failure(.unknownTag(tag)) }
        self = .ed25519(try decoder.value())
    }
}

public struct SignedTransaction: BorshCodable, Hashable, Sendable {
    public let transaction: Transaction
    public let authorization: Authorization

    public init(transaction: Transaction, authorization: Authorization) {
        self.transaction = transaction
        self.authorization = authorization
    }

    public init(signing transaction: Transaction, with key: PrivateKey, genesis: Digest) throws {
        self.init(
            transaction: transaction,
            authorization: .ed25519(try key.sign(transaction, domain: .transaction, genesis: genesis)))
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(transaction)
        encoder.value(authorization)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        transaction = try decoder.value()
        authorization = try decoder.value()
    }

    /// Whether the authorization is the sender's, on the chain of this genesis.
    public func isAuthorized(genesis: Digest) -> Bool { claim(genesis: genesis).isValid }

    /// What its authorization says, to be checked with others' at once.
    public func claim(genesis: Digest) -> SignatureClaim {
        switch authorization {
        case .ed25519(let signature):
            SignatureClaim(
                key: transaction.sender.publicKey, signature: signature,
                message: SigningDomain.transaction.message(genesis: genesis, body: transaction))
        }
    }
}
