import Cryptography
import Encoding

/// What the chain knows of an account's part in a service (state key ``StateKey/membership(_:_:)``): there while the
/// account is a member, that is, from its own signed action 5 until its own signed action 7.
public struct MembershipRecord: BorshCodable, Hashable, Sendable {
    public var joinedAt: Height
    /// Number of the service's last validation by which the account was judged: each counts once for each member.
    public var judged: UInt64

    public init(joinedAt: Height, judged: UInt64) {
        self.joinedAt = joinedAt
        self.judged = judged
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(joinedAt)
        encoder.integer(judged)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        joinedAt = try decoder.value()
        judged = try decoder.integer()
    }
}

/// Who judges a service's work besides its owner, and which validations these parties themselves have sent (state key
/// ``StateKey/panel(_:)``). Without such a validation no verdict of the service's contract weighs anything.
public struct PanelRecord: BorshCodable, Hashable, Sendable {
    public static let mostMembers = 15
    /// Validations that are remembered: a contract judges a round when it closes, long before four more are sent.
    public static let kept = 4

    /// An item of the service that the validator, or members of the drawn committee, sent action 6 for.
    public struct Validation: BorshCodable, Hashable, Sendable {
        public let post: PostId
        /// Counts the service's validations, from 1.
        public let number: UInt64
        /// When the first of them was sent.
        public let at: Time
        public var byValidator: Bool
        /// Members of the committee, by their place.
        public var senders: UInt16

        public init(post: PostId, number: UInt64, at: Time, byValidator: Bool = false, senders: UInt16 = 0) {
            self.post = post
            self.number = number
            self.at = at
            self.byValidator = byValidator
            self.senders = senders
        }

        public func encode(to encoder: inout BorshEncoder) {
            encoder.value(post)
            encoder.integer(number)
            encoder.value(at)
            encoder.bool(byValidator)
            encoder.integer(senders)
        }

        public init(from decoder: inout BorshDecoder) throws(BorshError) {
            post = try decoder.value()
            number = try decoder.integer()
            at = try decoder.value()
            byValidator = try decoder.bool()
            senders = try decoder.integer()
        }
    }

    /// The committee drawn last; empty where none was drawn.
    public var members: [Account]
    /// Of the newest validation.
    public var number: UInt64
    /// The oldest first.
    public var recent: [Validation]

    public init(members: [Account] = [], number: UInt64 = 0, recent: [Validation] = []) {
        self.members = members
        self.number = number
        self.recent = recent
    }

    /// Takes a new committee. What was sent before counts for the old one, and no longer.
    public mutating func seat(_ members: [Account]) {
        self.members = Array(members.prefix(Self.mostMembers))
        recent = []
    }

    /// The service has other code now: what was sent was said of what the old code asked, and counts no longer.
    public mutating func forget() { recent = [] }

    public mutating func note(_ post: PostId, byValidator: Bool, member: Int?, at time: Time) {
        let index: Int
        if let known = recent.firstIndex(where: { $0.post == post }) {
            index = known
        } else {
            let (next, overflow) = number.addingReportingOverflow(1)
            guard !overflow else { return }
            number = next
            if recent.count >= Self.kept { recent.removeFirst() }
            recent.append(Validation(post: post, number: number, at: time))
            index = recent.count - 1
        }
        if byValidator { recent[index].byValidator = true }
        if let member, member < Self.mostMembers { recent[index].senders |= 1 << UInt16(member) }
    }

    /// The validation of this item, if the service's validator sent it, or more than half of the committee.
    public func validation(of post: PostId) -> Validation? {
        guard let validation = recent.first(where: { $0.post == post }) else { return nil }
        let sent = validation.senders.nonzeroBitCount
        return validation.byValidator || (sent > 0 && sent * 2 > members.count) ? validation : nil
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.array(members)
        encoder.integer(number)
        encoder.array(recent)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        members = try decoder.array(limit: Self.mostMembers, smallestElement: 32)
        number = try decoder.integer()
        recent = try decoder.array(limit: Self.kept, smallestElement: 23)
    }

    /// Whether work of a round, or of up to ``roundsOfWork`` rounds later that used it, was validated since a time. By the
    /// convention of jobs a round's validation is sent for the item `r<round>/v`.
    public func hasValidated(round: UInt32, since time: Time) -> Bool {
        recent.contains { validation in
            guard let validated = Self.validatedRound(validation.post) else { return false }
            return validation.at >= time && validated >= round && validated - round <= Self.roundsOfWork
        }
    }

    /// When the last work that was validated can't be disputed any more (``Dispute/windowMs``); nil where there is none.
    public var disputableUntil: Time? {
        recent.filter { Self.validatedRound($0.post) != nil }.map { $0.at.advanced(by: Dispute.windowMs) }.max()
    }

    private static func validatedRound(_ post: PostId) -> UInt32? {
        let name = post.bytes
        guard name.first == 0x72, name.suffix(2) == [0x2F, 0x76] else { return nil }
        return UInt32(String(decoding: name.dropFirst().dropLast(2), as: UTF8.self))
    }

    /// Rounds after its own in which an asynchronous job still takes late work.
    public static let roundsOfWork: UInt32 = 3
}
