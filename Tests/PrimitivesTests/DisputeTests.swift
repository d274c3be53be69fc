import Cryptography
import Encoding
import Primitives
import Testing

/// The dispute as a machine: a search through everything that parties, jury and time may do.
@Suite(.timeLimit(.minutes(20))) struct DisputeTests {
    /// Until when who did a round's work has to be there.
    @Test func workIsDisputableForAWhileAfterItsValidation() throws {
        var panel = PanelRecord()
        #expect(panel.disputableUntil == nil)
        func note(_ post: String, at time: UInt64) throws {
            panel.note(try #require(PostId(post)), byValidator: true, member: nil, at: Time(time))
        }
        for post in ["r3/c", "x3/v", "r/v", "r-3/v", "r99999999999/v"] { try note(post, at: 900) }
        #expect(panel.disputableUntil == nil, "no validation of a round")
        try note("r7/v", at: 1_000)
        #expect(panel.disputableUntil == Time(1_000 + Dispute.windowMs))
        try note("r8/v", at: 5_000)
        try note("r7/v", at: 6_000)
        let until = try #require(panel.disputableUntil)
        #expect(until == Time(5_000 + Dispute.windowMs), "the first word about a round counts")
        // What the chain itself goes by.
        func since(_ now: UInt64) -> Time { Time(now - Dispute.windowMs) }
        #expect(panel.hasValidated(round: 8, since: since(until.value)))
        #expect(!panel.hasValidated(round: 8, since: since(until.value + 1)))
    }

    private static func account(_ byte: UInt8) -> Account { Account([UInt8](repeating: byte, count: 32)) ?? .zero }
    private static func leaf(_ text: String) -> Digest { Digest(sha256: Array(text.utf8)) }
    private static let accuser = account(1), accused = account(2)
    private static let jury: [Account] = [account(3), account(4), account(5)]

    /// A trace of three levels: two parts and the result, each part of two, each of these of two.
    private struct Trace {
        var leaves: [String]
        var result: String

        private func pair(_ index: Int) -> [Digest] { [leaf(leaves[2 * index]), leaf(leaves[2 * index + 1])] }
        private func part(_ index: Int) -> [Digest] { (0..<2).map { Dispute.node(pair(2 * index + $0)) } }
        private func leaf(_ text: String) -> Digest { DisputeTests.leaf(text) }

        /// The list at the end of a path; nil where there is none.
        func list(_ path: [UInt16]) -> [Digest]? {
            switch path.count {
            case 0: (0..<2).map { Dispute.node(part($0)) } + [leaf(result)]
            case 1 where path[0] < 2: part(Int(path[0]))
            case 2 where path[0] < 2 && path[1] < 2: pair(2 * Int(path[0]) + Int(path[1]))
            default: nil
            }
        }
    }

    private static let truth = Trace(leaves: (0..<8).map { "value \($0)" }, result: "c")
    /// One value is another, and so the result.
    private static let lie: Trace = {
        var trace = truth
        trace.leaves[5] = "another"
        trace.result = "c'"
        return trace
    }()
    /// Another result of the same values.
    private static let bareLie = Trace(leaves: truth.leaves, result: "c'")

    private struct State: Hashable {
        var dispute: Dispute
        var now: Time
    }

    private struct Party {
        let traces: [Trace]
        /// Whether it lets turns pass.
        var mayBeSilent = true
        var mayCall = true
    }

    /// Whether time may pass before the jury is drawn: a chain that stands still.
    private struct Chain { var mayStandStill = false }

    /// What happened on all ways: outcomes, states, and the longest wait.
    private struct Found {
        var outcomes: Set<Dispute.Outcome> = []
        var states = 0
        var longest: UInt64 = 0
    }

    /// - Parameter votes: what jurors may say, by seat.
    private func search(
        claim: String, accuser: Party, accused: Party, votes: [[Dispute.Vote]], chain: Chain = Chain()
    ) throws -> Found {
        var found = Found()
        var open: [State] = []
        var seen: Set<State> = []
        for trace in accuser.traces {
            guard
                let start = try? Dispute(
                    accuser: Self.accuser, accused: Self.accused, role: .edge, round: 3, step: 1,
                    claim: Self.leaf(claim),
                    list: try #require(trace.list([])), height: Height(10), time: Time(0))
            else { continue }
            open.append(State(dispute: start, now: Time(0)))
        }
        func enter(_ state: State, _ outcome: Dispute.Outcome?) {
            if let outcome { found.outcomes.insert(outcome) } else if seen.insert(state).inserted { open.append(state) }
        }
        while let state = open.popLast() {
            found.states += 1
            found.longest = max(found.longest, state.now.value)
            let dispute = state.dispute
            #expect(try Dispute(borsh: dispute.borsh) == dispute)
            if dispute.jury.isEmpty, dispute.stage != .vote || state.now == Time(0) {
                var next = state
                next.dispute.seat(Self.jury, at: state.now)
                enter(next, nil)
            }
            switch dispute.stage {
            case .answer:
                for trace in accused.traces {
                    guard let list = trace.list(dispute.path) else { continue }
                    var next = state
                    do { try next.dispute.answer(list, at: state.now) } catch { continue }
                    enter(next, nil)
                }
            case .unfold:
                for trace in accuser.traces {
                    guard let list = trace.list(dispute.path) else { continue }
                    var next = state
                    do { try next.dispute.unfold(list, at: state.now) } catch { continue }
                    enter(next, nil)
                }
                if accuser.mayCall || accuser.traces.allSatisfy({ $0.list(dispute.path) == nil }) {
                    var next = state
                    try next.dispute.call(at: state.now)
                    enter(next, nil)
                }
            case .vote:
                for (seat, juror) in dispute.jury.enumerated() {
                    for vote in votes[seat] where vote != .none {
                        var next = state
                        guard let outcome = try? next.dispute.vote(vote, by: juror, at: state.now) else {
                            if dispute.votes[seat] == .none { enter(next, nil) }
                            continue
                        }
                        enter(next, outcome)
                    }
                }
            }
            if dispute.jury.isEmpty, !chain.mayStandStill { continue }
            // Whatever is done, it may be done in the last moment.
            if state.now.value + 1 < dispute.deadline.value {
                enter(State(dispute: dispute, now: Time(dispute.deadline.value - 1)), nil)
            }
            // Time: a party that answers does so in time, a juror that votes too.
            switch dispute.stage {
            case .answer where !accused.mayBeSilent, .unfold where !accuser.mayBeSilent: continue
            case .vote
            where dispute.votes.indices.contains(where: { dispute.votes[$0] == .none && !votes[$0].contains(.none) }):
                continue
            default: break
            }
            var next = State(dispute: dispute, now: dispute.deadline)
            #expect(next.dispute.expire(at: Time(dispute.deadline.value - 1)) == nil && next.dispute == dispute)
            let outcome = next.dispute.expire(at: next.now)
            #expect(outcome != nil || next.dispute != dispute, "time changed nothing")
            enter(next, outcome)
        }
        return found
    }

    private static let anything: [Dispute.Vote] = [.none, .right, .wrong, .unavailable]
    private static let all = [truth, lie, bareLie]

    @Test func itEndsWhateverAnybodyDoes() throws {
        let found = try search(
            claim: "c'", accuser: Party(traces: Self.all), accused: Party(traces: Self.all),
            votes: [Self.anything, Self.anything, Self.anything], chain: Chain(mayStandStill: true))
        #expect(found.outcomes == Set(Dispute.Outcome.allCases))
        // At most a turn of each side on each level, and the vote.
        #expect(found.longest <= 2 * UInt64(Dispute.mostLevels + 1) * Dispute.turnMs)
        print("dispute: \(found.states) states, the longest way takes \(found.longest / 1_000) s")
    }

    @Test func aLiarIsConvictedByAnHonestAccuserAndMostOfTheJury() throws {
        for lazy in [[Dispute.Vote.none], [.right], [.unavailable], Self.anything] {
            let found = try search(
                claim: "c'", accuser: Party(traces: [Self.truth], mayBeSilent: false, mayCall: false),
                accused: Party(traces: Self.all), votes: [[.wrong], [.wrong], lazy])
            #expect(found.outcomes == [.convicted])
        }
    }

    @Test func whoAnswersTruthfullyIsNeverConvicted() throws {
        for lazy in [[Dispute.Vote.none], [.wrong], [.unavailable], Self.anything] {
            let found = try search(
                claim: "c", accuser: Party(traces: Self.all), accused: Party(traces: [Self.truth], mayBeSilent: false),
                votes: [[.right], [.right], lazy])
            #expect(!found.outcomes.contains(.convicted) && found.outcomes.isSubset(of: [.refuted, .dropped]))
        }
        // Nor where nobody on the jury could get the inputs: it did what it owed.
        let found = try search(
            claim: "c", accuser: Party(traces: Self.all), accused: Party(traces: [Self.truth], mayBeSilent: false),
            votes: [[.unavailable], [.unavailable], [.unavailable, .none]])
        #expect(found.outcomes.isSubset(of: [.undecided, .dropped]))
    }

    @Test func bothLeaveAndItIsUndecided() throws {
        let found = try search(
            claim: "c'", accuser: Party(traces: [Self.truth]), accused: Party(traces: []),
            votes: [[.none], [.none], [.none]])
        #expect(found.outcomes == [.undecided])
    }

    @Test func itIsNarrowedDownToOneValue() throws {
        let truth = Self.truth, lie = Self.lie
        var dispute = try Dispute(
            accuser: Self.accuser, accused: Self.accused, role: .edge, round: 3, step: 1, claim: Self.leaf("c'"),
            list: try #require(truth.list([])), height: Height(10), time: Time(0))
        #expect(throws: Dispute.Refusal.notWhatWasSigned) { try dispute.answer(truth.list([]) ?? [], at: Time(1)) }
        #expect(throws: Dispute.Refusal.notYourTurn) { try dispute.unfold(truth.list([0]) ?? [], at: Time(1)) }
        try dispute.answer(try #require(lie.list([])), at: Time(1))
        #expect(dispute.path == [1] && dispute.agreed == truth.list([])?[0] && dispute.stage == .unfold)
        #expect(throws: Dispute.Refusal.notWhatWasSaid) { try dispute.unfold(lie.list([1]) ?? [], at: Time(2)) }
        try dispute.unfold(try #require(truth.list([1])), at: Time(2))
        #expect(throws: Dispute.Refusal.notWhatWasSaid) { try dispute.answer(truth.list([1]) ?? [], at: Time(3)) }
        try dispute.answer(try #require(lie.list([1])), at: Time(3))
        try dispute.unfold(try #require(truth.list([1, 0])), at: Time(4))
        try dispute.answer(try #require(lie.list([1, 0])), at: Time(5))
        #expect(dispute.path == [1, 0, 1] && dispute.agreed == Self.leaf("value 4"))
        #expect(dispute.accusersNode == Self.leaf("value 5") && dispute.accusedsNode == Self.leaf("another"))
        try dispute.call(at: Time(6))
        #expect(throws: Dispute.Refusal.noJury) { _ = try dispute.vote(.wrong, by: Self.jury[0], at: Time(7)) }
        #expect(!dispute.mayDraw(at: Height(14)) && dispute.mayDraw(at: Height(15)))
        dispute.seat(Self.jury, at: Time(7))
        #expect(throws: Dispute.Refusal.notInJury) { _ = try dispute.vote(.wrong, by: Self.accuser, at: Time(8)) }
        #expect(try dispute.vote(.wrong, by: Self.jury[0], at: Time(8)) == nil)
        #expect(throws: Dispute.Refusal.voted) { _ = try dispute.vote(.wrong, by: Self.jury[0], at: Time(9)) }
        #expect(throws: Dispute.Refusal.late) { _ = try dispute.vote(.wrong, by: Self.jury[1], at: dispute.deadline) }
        #expect(try dispute.vote(.wrong, by: Self.jury[1], at: Time(9)) == .convicted)
    }
}
