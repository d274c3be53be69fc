import Cryptography
import Encoding
import Primitives

/// A transaction, in blocks, histories and by itself.
public struct TransactionDocument: Codable, Equatable, Sendable {
    @HexText public var id: TransactionId
    @AddressText public var sender: Account
    @DecimalText public var sequence: UInt64
    /// Milliseconds since 1970.
    @DecimalText public var validUntil: UInt64
    @DecimalText public var gasLimit: UInt64
    @DecimalText public var value: UInt128
    @LabelText public var serviceId: ServiceId
    @LabelText public var postId: PostId
    public var actionId: UInt16
    /// Name of the action, for people.
    public var action: String
    public var dataBytes: Int
    /// Absent in lists, which give the number of bytes only.
    public var data: Base64Text?
    /// Ed25519 signature, 128 hexadecimal digits; absent in lists and histories.
    public var signature: String?

    public init(_ transaction: Transaction, id: TransactionId, withData: Bool) {
        self.id = id
        sender = transaction.sender
        sequence = transaction.sequence
        validUntil = transaction.validUntil.value
        gasLimit = transaction.gasLimit
        value = transaction.value
        serviceId = transaction.serviceId
        postId = transaction.postId
        actionId = transaction.actionId.value
        action = transaction.actionId.description
        dataBytes = transaction.data.count
        data = withData ? Base64Text(transaction.data) : nil
        signature = nil
    }

    public init(_ signed: SignedTransaction, id: TransactionId, withData: Bool) {
        self.init(signed.transaction, id: id, withData: withData)
        guard withData else { return }
        switch signed.authorization {
        case .ed25519(let value): signature = value.description
        }
    }

    /// The transaction itself; nil when the document came without data.
    public func transaction() throws(TransactionError) -> Transaction? {
        guard let data else { return nil }
        return try Transaction(
            sender: sender, sequence: sequence, validUntil: Time(validUntil), gasLimit: gasLimit, value: value,
            serviceId: serviceId, postId: postId, actionId: ActionId(actionId), data: data.wrappedValue)
    }
}

/// What became of a transaction or a scheduled call.
public struct OutcomeDocument: Codable, Equatable, Sendable {
    public enum Kind: String, Codable, Sendable { case succeeded, recorded, failed }

    public var kind: Kind
    /// Why it failed; absent otherwise.
    public var message: String?

    public init(_ outcome: Outcome) {
        switch outcome {
        case .succeeded: kind = .succeeded
        case .recorded: kind = .recorded
        case .failed(let text):
            kind = .failed
            message = text
        }
    }

    public var outcome: Outcome {
        switch kind {
        case .succeeded: .succeeded
        case .recorded: .recorded
        case .failed: .failure(message ?? "")
        }
    }
}

/// What a contract announced.
public struct EventDocument: Codable, Equatable, Sendable {
    @AddressText public var contract: Account
    @TopicText public var topic: [UInt8]
    @Base64Text public var data: [UInt8]
    /// What the data says; absent where its form is not known.
    public var meaning: MeaningDocument?

    public init(_ event: Event, meaning: MeaningDocument? = nil) {
        self.meaning = meaning
        contract = event.contract
        topic = event.topic
        data = event.data
    }

    public var topicText: String { PrintableBytes.text(topic) }
}

public struct ReceiptDocument: Codable, Equatable, Sendable {
    /// The transaction; absent for others.
    public var transaction: HexText<TransactionId>?
    /// Contract and number of the scheduled call; absent for others.
    public var scheduled: Scheduled?
    /// The epoch that began after the block; absent but in a border block's last receipt.
    public var border: DecimalText<UInt64>?
    public var outcome: OutcomeDocument
    @DecimalText public var gasUsed: UInt64
    public var events: [EventDocument]
    /// SHA-256 of what the contract returned.
    @HexText public var returned: Digest

    public struct Scheduled: Codable, Equatable, Sendable {
        @AddressText public var contract: Account
        @DecimalText public var number: UInt64
    }

    public init(_ receipt: Receipt) {
        switch receipt.origin {
        case .transaction(let id): transaction = HexText(id)
        case .scheduled(let contract, let number): scheduled = Scheduled(contract: contract, number: number)
        case .border(let epoch): border = DecimalText(epoch.value)
        }
        outcome = OutcomeDocument(receipt.outcome)
        gasUsed = receipt.gasUsed
        events = receipt.events.map { EventDocument($0) }
        returned = receipt.returned
    }
}

/// `GET /v1/blocks/{height}/receipts`
public struct ReceiptsDocument: Codable, Equatable, Sendable {
    @DecimalText public var height: UInt64
    /// Of the transactions in their order, then of the scheduled calls.
    public var receipts: [ReceiptDocument]

    public init(height: Height, receipts: [Receipt]) {
        self.height = height.value
        self.receipts = receipts.map { ReceiptDocument($0) }
    }
}

/// `GET /v1/transactions/{id}`
public struct TransactionStateDocument: Codable, Equatable, Sendable {
    public enum State: String, Codable, Sendable { case pending, included }

    public struct Inclusion: Codable, Equatable, Sendable {
        @DecimalText public var height: UInt64
        /// Place in the block, from 0.
        public var index: Int
        /// Header time of the block, milliseconds since 1970.
        @DecimalText public var time: UInt64
        public var receipt: ReceiptDocument

        public init(height: Height, index: Int, time: Time, receipt: Receipt) {
            self.height = height.value
            self.index = index
            self.time = time.value
            self.receipt = ReceiptDocument(receipt)
        }
    }

    public var state: State
    public var transaction: TransactionDocument
    /// What the transaction's data says; absent where its form is not known.
    public var meaning: MeaningDocument?
    /// Absent while pending.
    public var inclusion: Inclusion?

    public init(transaction: TransactionDocument, meaning: MeaningDocument? = nil, inclusion: Inclusion?) {
        self.meaning = meaning
        state = inclusion == nil ? .pending : .included
        self.transaction = transaction
        self.inclusion = inclusion
    }
}

/// JSON body of `POST /v1/transactions`; the same bytes may come as `application/octet-stream`.
public struct SubmissionDocument: Codable, Equatable, Sendable {
    /// Borsh of the signed transaction.
    @Base64Text public var borsh: [UInt8]

    public init(_ transaction: SignedTransaction) { borsh = transaction.borsh }
}

/// The same with many; the same bytes may come as ``SubmissionLimits/mediaType``: a u32 count, then the transactions.
public struct SubmissionsDocument: Codable, Equatable, Sendable {
    /// Borsh of one signed transaction each, in the order in which they are to be admitted.
    public var transactions: [Base64Text]

    public init(_ transactions: [SignedTransaction]) {
        self.transactions = transactions.map { Base64Text(wrappedValue: $0.borsh) }
    }
}

/// How much one `POST /v1/transactions` with many takes.
public enum SubmissionLimits {
    public static let transactions = 512
    /// Of all of them together, encoded.
    public static let bytes = 1_000_000
    /// Names the raw form of many, which would else be taken for one.
    public static let mediaType = "application/vnd.edgeproof.transactions"
}

/// Answer to many transactions. Those that are not listed were taken, or were known already.
public struct SubmissionsAnswerDocument: Codable, Equatable, Sendable {
    public struct Refused: Codable, Equatable, Sendable {
        /// Place among those that were sent, from 0.
        public var index: Int
        public var error: ErrorDocument.Detail

        public init(index: Int, error: ErrorDocument.Detail) {
            self.index = index
            self.error = error
        }
    }

    public var accepted: Int
    /// Ascending by index.
    public var refused: [Refused]

    public init(accepted: Int, refused: [Refused]) {
        self.accepted = accepted
        self.refused = refused
    }
}

/// Answer to `POST /v1/transactions`.
public struct SubmittedDocument: Codable, Equatable, Sendable {
    @HexText public var id: TransactionId

    public init(id: TransactionId) { self.id = id }
}
