import Cryptography
import Encoding

/// A dispute about one step of a worker's work (state key ``StateKey/dispute(_:_:)``), as a pure machine.
///
/// Somebody whose word counts in the service says that what a worker signed for a step is not what the step gives. Each
/// side has a *trace* of the step: a tree of digests of its intermediate values, whose inner nodes are ``node(_:)`` of
/// their children. They unfold it level by level, the accuser first: where the two lists first differ, all before that
/// place is agreed, so what is left to look at is that one part. The last level is one small computation on agreed
/// inputs, which a jury of masternodes does itself, and votes.
///
/// It promises
/// - **an end**: every stage has a deadline, and ``expire(at:)`` leads from every stage on to the end;
/// - **no change of story**: a list is taken only if it is what its side said one level above; the accused's first one
///   ends with what it has signed;
/// - **nobody judges in his own case**, and nobody is found wrong without more than half of the jury.
public struct Dispute: BorshCodable, Hashable, Sendable {
    /// Time of each turn, and of the vote.
    public static let turnMs: UInt64 = 60_000
    /// Time after a round's validation in which its work can be disputed. Whoever did it must answer, so it ends: nobody
    /// is to be found a liar years later because its machine is gone.
    public static let windowMs: UInt64 = 600_000
    /// Digests of one list.
    public static let longestList = 256
    /// Lists of each side, one below the other.
    public static let mostLevels: UInt8 = 6
    public static let largestJury = 5
    public static let smallestJury = 3
    /// Blocks between the accusation and the randomness that draws the jury: nobody knows it when the dispute begins.
    public static let blocksToJury: UInt64 = 4

    public enum Stage: UInt8, Sendable, CaseIterable {
        /// The accused owes its list of this level.
        case answer
        /// The accuser owes its list of the next level, or says that this is the last.
        case unfold
        /// The jury votes.
        case vote
    }

    public enum Vote: UInt8, Sendable, CaseIterable {
        case none
        /// The accused computed what the step gives.
        case right
        case wrong
        /// The juror could not get what it takes to say.
        case unavailable
    }

    public enum Outcome: UInt8, Sendable, CaseIterable {
        /// The accused was wrong.
        case convicted
        /// The accuser was wrong.
        case refuted
        /// The accuser left.
        case dropped
        /// Too few of the jury said the same.
        case undecided

        public var name: StaticString {
            switch self {
            case .convicted: "convicted"
            case .refuted: "refuted"
            case .dropped: "dropped"
            case .undecided: "undecided"
            }
        }
    }

    public enum Refusal: Error, Equatable, Sendable, CustomStringConvertible {
        case notYourTurn, late, sameAsSigned, notWhatWasSigned, notWhatWasSaid, length, notInJury, noJury, voted

        public var description: String {
            switch self {
            case .notYourTurn: "it is not this account's turn"
            case .late: "the time of this turn is over"
            case .sameAsSigned: "the accuser's trace ends with what the accused signed: then they agree"
            case .notWhatWasSigned: "the trace does not end with what the accused signed"
            case .notWhatWasSaid: "the list is not the one whose digest was given one level above"
            case .length: "a list has 1 to \(Dispute.longestList) digests"
            case .notInJury: "this account is not in the jury"
            case .noJury: "the jury is not drawn yet"
            case .voted: "this account has voted already"
            }
        }
    }

    public let accuser: Account
    public let accused: Account
    public let role: Role
    public let round: UInt32
    public let step: UInt32
    /// The commitment of the envelope that the accused signed.
    public let claim: Digest
    public let openedAt: Height
    public internal(set) var stage: Stage
    public internal(set) var deadline: Time
    /// Places at which the lists differed, from the top.
    public internal(set) var path: [UInt16]
    /// What the two sides have at that place.
    public internal(set) var accusersNode: Digest
    public internal(set) var accusedsNode: Digest
    /// The digest before that place, on which they agree; zero at the first.
    public internal(set) var agreed: Digest
    /// The accuser's list, while the accused's is awaited.
    public internal(set) var pending: [Digest]
    /// The accused let a turn pass.
    public internal(set) var isSilent: Bool
    public internal(set) var jury: [Account]
    public internal(set) var votes: [Vote]

    // MARK: Trace

    /// The digest of an inner node of a trace: SHA-256 of "edgeproof/trace/1" and its children's digests.
    public static func node(_ children: [Digest]) -> Digest {
        Digest(domain: "edgeproof/trace/1", parts: children.flatMap(\.bytes))
    }

    // MARK: Moves

    /// - Parameter list: the top of the accuser's trace. Its last digest is the commitment that the step should have given.
    public init(
        accuser: Account, accused: Account, role: Role, round: UInt32, step: UInt32, claim: Digest, list: [Digest],
        height: Height, time: Time
    ) throws(Refusal) {
        guard (1...Self.longestList).contains(list.count) else { throw .length }
        guard list.last != claim else { throw .sameAsSigned }
        self.accuser = accuser
        self.accused = accused
        self.role = role
        self.round = round
        self.step = step
        self.claim = claim
        openedAt = height
        stage = .answer
        deadline = time.advanced(by: Self.turnMs)
        path = []
        accusersNode = .zero
        accusedsNode = .zero
        agreed = .zero
        pending = list
        isSilent = false
        jury = []
        votes = []
    }

    /// The accused's list of this level.
    public mutating func answer(_ list: [Digest], at time: Time) throws(Refusal) {
        guard stage == .answer else { throw .notYourTurn }
        guard time < deadline else { throw .late }
        guard (1...Self.longestList).contains(list.count) else { throw .length }
        if path.isEmpty {
            guard list.last == claim else { throw .notWhatWasSigned }
        } else {
            guard Self.node(list) == accusedsNode else { throw .notWhatWasSaid }
        }
        let theirs = pending
        pending = []
        // A step has one shape. Lists of two lengths, of which one begins like the other, can't be narrowed down.
        guard let place = zip(theirs, list).enumerated().first(where: { $1.0 != $1.1 })?.offset else {
            return enter(.vote, at: time)
        }
        agreed = place > 0 ? list[place - 1] : path.isEmpty ? .zero : agreed
        path.append(UInt16(clamping: place))
        accusersNode = theirs[place]
        accusedsNode = list[place]
        enter(path.count >= Int(Self.mostLevels) ? .vote : .unfold, at: time)
    }

    /// The accuser's list of the next level.
    public mutating func unfold(_ list: [Digest], at time: Time) throws(Refusal) {
        guard stage == .unfold else { throw .notYourTurn }
        guard time < deadline else { throw .late }
        guard (1...Self.longestList).contains(list.count) else { throw .length }
        guard Self.node(list) == accusersNode else { throw .notWhatWasSaid }
        pending = list
        enter(.answer, at: time)
    }

    /// The accuser says that what is left is one computation.
    public mutating func call(at time: Time) throws(Refusal) {
        guard stage == .unfold else { throw .notYourTurn }
        guard time < deadline else { throw .late }
        enter(.vote, at: time)
    }

    public mutating func seat(_ jury: [Account], at time: Time) {
        guard self.jury.isEmpty else { return }
        self.jury = Array(jury.prefix(Self.largestJury))
        votes = Array(repeating: .none, count: self.jury.count)
        if stage == .vote { deadline = time.advanced(by: Self.turnMs) }
    }

    /// - Returns: the outcome, once no further vote can change it.
    public mutating func vote(_ vote: Vote, by juror: Account, at time: Time) throws(Refusal) -> Outcome? {
        guard stage == .vote else { throw .notYourTurn }
        guard time < deadline else { throw .late }
        guard !jury.isEmpty else { throw .noJury }
        guard let seat = jury.firstIndex(of: juror), votes.indices.contains(seat) else { throw .notInJury }
        guard votes[seat] == .none else { throw .voted }
        guard vote != .none else { throw .notYourTurn }
        votes[seat] = vote
        if isMajority(count(.wrong)) || isMajority(count(.right)) || !votes.contains(.none) { return verdict }
        return nil
    }

    /// What time does. Nothing before the deadline; then the next stage, or the end.
    public mutating func expire(at time: Time) -> Outcome? {
        guard time >= deadline else { return nil }
        switch stage {
        case .answer:
            isSilent = true
            pending = []
            enter(.vote, at: time)
            return nil
        case .unfold: return .dropped
        case .vote: return verdict
        }
    }

    /// Whether the jury can be drawn in a block of this height, whose randomness is that of the block before.
    public func mayDraw(at height: Height) -> Bool {
        jury.isEmpty && height.value > openedAt.value.addingReportingOverflow(Self.blocksToJury).partialValue
    }

    // MARK: The verdict

    /// By more than half of the jury. Who did not answer is wrong also when the jury could not get what it takes to say;
    /// who answered every turn is not: then nothing was shown.
    private var verdict: Outcome {
        if isMajority(count(.wrong)) || (isSilent && isMajority(count(.wrong) + count(.unavailable))) {
            return .convicted
        }
        return isMajority(count(.right)) ? .refuted : .undecided
    }

    private func count(_ vote: Vote) -> Int { votes.count { $0 == vote } }
    private func isMajority(_ count: Int) -> Bool { count * 2 > jury.count }

    private mutating func enter(_ stage: Stage, at time: Time) {
        self.stage = stage
        deadline = time.advanced(by: Self.turnMs)
    }

    // MARK: Bytes

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(accuser)
        encoder.value(accused)
        encoder.value(role)
        encoder.integer(round)
        encoder.integer(step)
        encoder.value(claim)
        encoder.value(openedAt)
        encoder.integer(stage.rawValue)
        encoder.value(deadline)
        encoder.array(path)
        encoder.value(accusersNode)
        encoder.value(accusedsNode)
        encoder.value(agreed)
        encoder.array(pending)
        encoder.bool(isSilent)
        encoder.array(jury)
        encoder.variable(votes.map(\.rawValue))
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        accuser = try decoder.value()
        accused = try decoder.value()
        role = try decoder.value()
        round = try decoder.integer()
        step = try decoder.integer()
        claim = try decoder.value()
        openedAt = try decoder.value()
        stage = try Self.tag(&decoder)
        deadline = try decoder.value()
        path = try decoder.array(of: UInt16.self, limit: Int(Self.mostLevels), smallestElement: 2)
        accusersNode = try decoder.value()
        accusedsNode = try decoder.value()
        agreed = try decoder.value()
        pending = try decoder.array(limit: Self.longestList, smallestElement: 32)
        isSilent = try decoder.bool()
        jury = try decoder.array(limit: Self.largestJury, smallestElement: 32)
        votes = []
        for raw in try decoder.variable(limit: Self.largestJury) {
            guard let vote = Vote(rawValue: raw) else { throw decoder.failure(.unknownTag(raw)) }
            votes.append(vote)
        }
        guard votes.count == jury.count else { throw decoder.failure(.notCanonical("a vote for each juror")) }
    }

    private static func tag<Tag: RawRepresentable>(_ decoder: inout BorshDecoder) throws(BorshError) -> Tag
    where Tag.RawValue == UInt8 {
        let raw: UInt8 = try decoder.integer()
        guard let tag = Tag(rawValue: raw) else { throw decoder.failure(.unknownTag(raw)) }
        return tag
    }
}

/// The open disputes of a service, by who is accused (state key ``StateKey/disputes(_:)``).
public struct DisputeIndex: BorshCodable, Hashable, Sendable {
    /// At a time: each is work for the accused and a jury.
    public static let most = 16
    public var accused: [Account]

    public init(accused: [Account] = []) { self.accused = accused }

    public func encode(to encoder: inout BorshEncoder) { encoder.array(accused) }
    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        accused = try decoder.array(limit: Self.most, smallestElement: 32)
    }
}

/// An account that a jury found to have lied (state key ``StateKey/tombstone(_:)``): no service takes its actions any
/// more.
public struct Tombstone: BorshCodable, Hashable, Sendable {
    public let service: ServiceId
    public let height: Height

    public init(service: ServiceId, height: Height) {
        self.service = service
        self.height = height
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(service)
        encoder.value(height)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        service = try decoder.value()
        height = try decoder.value()
    }
}

/// `data` of an `accuse` transaction: an envelope that the accused signed in a job, and the top of the accuser's trace
/// of the step.
public struct Accusation: BorshCodable, Hashable, Sendable {
    public static let longestContext = 256
    /// Genesis hash, job, round, step, kind of message; at the end sender and receiver's key.
    private static let shortestContext = 137

    public let service: ServiceId
    /// Borsh of the envelope's context.
    public let context: [UInt8]
    /// The envelope's commitment.
    public let claim: Digest
    /// SHA-256 of encapsulated key and ciphertext.
    public let sealed: Digest
    public let signature: Signature
    public let list: [Digest]

    public init(
        service: ServiceId, context: [UInt8], claim: Digest, sealed: Digest, signature: Signature, list: [Digest]
    ) {
        self.service = service
        self.context = context
        self.claim = claim
        self.sealed = sealed
        self.signature = signature
        self.list = list
    }

    /// What the context says; nil for one that is too short.
    public var subject: (genesis: Digest, job: Account, round: UInt32, step: UInt32, kind: UInt8, sender: Account)? {
        guard context.count >= Self.shortestContext, context.count <= Self.longestContext,
            let genesis = Digest(context[0..<32]), let job = Account(context[32..<64]),
            let sender = Account(context[(context.count - 64)..<(context.count - 32)])
        else { return nil }
        func word(_ offset: Int) -> UInt32 {
            context[offset..<offset + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
        }
        return (genesis, job, word(64), word(68), context[72], sender)
    }

    /// In which the accused has sent it, by the kind of its message.
    public var role: Role? {
        switch subject?.kind {
        case 0, 2: .edge
        case 1, 3, 6, 8: .cloud
        case 4: .device
        case 5, 7: .fog
        default: nil
        }
    }

    /// What the accused signed.
    public var signedMessage: [UInt8] {
        let digest = Digest(domain: "edgeproof/envelope/1", parts: context)
        return Array("edgeproof/envelope-signature/1".utf8) + context.prefix(32) + digest.bytes + claim.bytes
            + sealed.bytes
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(service)
        encoder.variable(context)
        encoder.value(claim)
        encoder.value(sealed)
        encoder.value(signature)
        encoder.array(list)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        service = try decoder.value()
        context = try decoder.variable(limit: Self.longestContext)
        claim = try decoder.value()
        sealed = try decoder.value()
        signature = try decoder.value()
        list = try decoder.array(limit: Dispute.longestList, smallestElement: 32)
    }
}

/// `data` of a `narrowDispute` transaction: the sender's next list. An accuser's empty list calls the jury.
public struct DisputeMove: BorshCodable, Hashable, Sendable {
    public let service: ServiceId
    public let accused: Account
    public let list: [Digest]

    public init(service: ServiceId, accused: Account, list: [Digest]) {
        self.service = service
        self.accused = accused
        self.list = list
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(service)
        encoder.value(accused)
        encoder.array(list)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        service = try decoder.value()
        accused = try decoder.value()
        list = try decoder.array(limit: Dispute.longestList, smallestElement: 32)
    }
}

/// `data` of a `judgeDispute` transaction.
public struct DisputeVote: BorshCodable, Hashable, Sendable {
    public let service: ServiceId
    public let accused: Account
    public let vote: Dispute.Vote

    public init(service: ServiceId, accused: Account, vote: Dispute.Vote) {
        self.service = service
        self.accused = accused
        self.vote = vote
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(service)
        encoder.value(accused)
        encoder.integer(vote.rawValue)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        service = try decoder.value()
        accused = try decoder.value()
        let raw: UInt8 = try decoder.integer()
        guard let vote = Dispute.Vote(rawValue: raw) else { throw decoder.failure(.unknownTag(raw)) }
        self.vote = vote
    }
}
