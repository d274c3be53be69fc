import Cryptography
import Encoding
import Synchronization

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

/// A transaction with the proof that its sender wanted it.
///
/// Its bytes are made once, by whoever signed it, and travel with it, as do its identifier and its leaf in a block's tree
/// once they are known: a transaction passes the pool, a block, the execution and the store without being encoded or
/// hashed again. Copies share all of it.
public struct SignedTransaction: BorshCodable, Hashable, Sendable {
    private let content: Content

    /// Shared by all copies.
    private final class Content: Sendable {
        let transaction: Transaction
        let authorization: Authorization
        /// The canonical ones of both.
        let bytes: [UInt8]
        /// Of these, the transaction's, which come first.
        let bodyCount: Int
        let derived = Mutex(Derived())

        init(_ transaction: Transaction, _ authorization: Authorization, bytes: [UInt8], bodyCount: Int) {
            self.transaction = transaction
            self.authorization = authorization
            self.bytes = bytes
            self.bodyCount = bodyCount
        }
    }

    private struct Derived {
        /// On the chain of this genesis.
        var id: (genesis: Digest, id: TransactionId)?
        var leaf: Digest?
    }

    public var transaction: Transaction { content.transaction }
    public var authorization: Authorization { content.authorization }
    /// Of the transaction, which need not be copied for it: what a pool asks again and again.
    public var sender: Account { content.transaction.sender }
    public var sequence: UInt64 { content.transaction.sequence }
    public var validUntil: Time { content.transaction.validUntil }
    /// The canonical bytes.
    public var borsh: [UInt8] { content.bytes }
    /// How many bytes ``borsh`` has.
    public var byteCount: Int { content.bytes.count }

    public init(transaction: Transaction, authorization: Authorization) {
        var encoder = BorshEncoder(reserving: 160 + transaction.data.count)
        encoder.value(transaction)
        let bodyCount = encoder.count
        encoder.value(authorization)
        content = Content(transaction, authorization, bytes: encoder.bytes, bodyCount: bodyCount)
    }

    public init(signing transaction: Transaction, with key: PrivateKey, genesis: Digest) throws {
        self.init(
            transaction: transaction,
            authorization: .ed25519(try key.sign(transaction, domain: .transaction, genesis: genesis)))
    }

    public func encode(to encoder: inout BorshEncoder) { encoder.fixed(content.bytes) }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        let start = decoder.offset
        let transaction: Transaction = try decoder.value()
        let bodyCount = decoder.offset - start
        let authorization: Authorization = try decoder.value()
        // Decoding is canonical: the bytes that were read are those that encoding would give.
        content = Content(transaction, authorization, bytes: decoder.bytes(since: start), bodyCount: bodyCount)
    }

    /// The transaction's identifier (``Transaction/id(genesis:)``), computed once.
    public func id(genesis: Digest) -> TransactionId {
        if let known = content.derived.withLock({ $0.id }), known.genesis == genesis { return known.id }
        var hasher = SHA256Hasher()
        hasher.update(SigningDomain.transaction.name)
        hasher.update(genesis)
        content.bytes.withUnsafeBytes { hasher.update(UnsafeRawBufferPointer(rebasing: $0[..<content.bodyCount])) }
        let id = TransactionId(words: hasher.finalize().words)
        content.derived.withLock { $0.id = (genesis, id) }
        return id
    }

    /// Its leaf in the tree of a block's transactions, computed once.
    public var leafHash: Digest {
        if let known = content.derived.withLock({ $0.leaf }) { return known }
        let leaf = MerkleLog.leafHash(content.bytes)
        content.derived.withLock { $0.leaf = leaf }
        return leaf
    }

    /// Whether the authorization is the sender's, on the chain of this genesis.
    public func isAuthorized(genesis: Digest) -> Bool { claim(genesis: genesis).isValid }

    /// What its authorization says, to be checked with others' at once.
    public func claim(genesis: Digest) -> SignatureClaim {
        switch authorization {
        case .ed25519(let signature):
            var message: [UInt8] = []
            message.reserveCapacity(content.bodyCount + 64)
            message.append(contentsOf: SigningDomain.transaction.name.utf8)
            message.append(contentsOf: genesis.bytes)
            message.append(contentsOf: content.bytes[..<content.bodyCount])
            return SignatureClaim(key: transaction.sender.publicKey, signature: signature, message: message)
        }
    }

    public static func == (lhs: SignedTransaction, rhs: SignedTransaction) -> Bool {
        lhs.content === rhs.content || lhs.content.bytes == rhs.content.bytes
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(content.bytes) }
}

extension [SignedTransaction] {
    /// Of all of them, without what goes around them.
    public var byteCount: Int { reduce(0) { $0 + $1.byteCount } }
}
