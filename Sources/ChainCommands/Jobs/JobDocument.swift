import APIModel
import ChainClient
import Cryptography
import Foundation
import JobProtocol
import Primitives

/// A job in JSON: its terms, where it stands, who takes part, its rounds.
struct JobDocument: Encodable {
    struct Terms: Encodable {
        let title: String
        let `protocol`: String
        let mode: String
        /// K of the asynchronous mode; 0 in a synchronous job.
        let bufferedUpdates: UInt16
        let workers: UInt16
        let clouds: UInt16
        let quorum: UInt16
        let rounds: UInt32
        let stepsPerRound: UInt32
        @DecimalText var openTimeoutMs: UInt64
        @DecimalText var commitMinMs: UInt64
        @DecimalText var commitMaxMs: UInt64
        @DecimalText var revealTimeoutMs: UInt64
        @DecimalText var validateTimeoutMs: UInt64
        let epsilonMicro: UInt32
        let inputAudit: String
        /// The training plan's Borsh, in base64.
        let plan: String
        /// The mode in words.
        let pace: String

        init(_ spec: JobSpec) {
            title = spec.title
            `protocol` = "\(spec.trainingProtocol)"
            mode = "\(spec.mode)"
            bufferedUpdates = spec.bufferedUpdates
            pace = spec.pace
            workers = spec.workers
            clouds = spec.clouds
            quorum = spec.quorum
            rounds = spec.rounds
            stepsPerRound = spec.stepsPerRound
            openTimeoutMs = spec.openTimeoutMs
            commitMinMs = spec.commitMinMs
            commitMaxMs = spec.commitMaxMs
            revealTimeoutMs = spec.revealTimeoutMs
            validateTimeoutMs = spec.validateTimeoutMs
            epsilonMicro = spec.epsilonMicro
            inputAudit = "\(spec.inputAudit)"
            plan = Data(spec.plan).base64EncodedString()
        }
    }

    struct Participant: Encodable {
        @AddressText var account: Account
        let role: String
        let standing: String
        let index: UInt16
        let samples: UInt32
        let endpoint: String
        @HexText var kemPublicKey: KEMPublicKey
        let committed: Bool
        let revealed: Bool
        let misses: UInt16
        let acceptedRounds: UInt32
        /// What it can take now.
        @DecimalText var owed: UInt128
        @DecimalText var bond: UInt128
    }

    struct Round: Encodable {
        let round: UInt32
        let outcome: String
        @DecimalText var metricMicro: UInt64
        @DecimalText var lossMicro: UInt64
        @DecimalText var closedAt: UInt64
        @HexText var checkpoint: Digest
        let participants: UInt16

        init(_ round: JobRound) {
            self.round = round.round
            outcome = round.outcome.description
            metricMicro = round.metricMicro
            lossMicro = round.lossMicro
            closedAt = round.closedAt.value
            checkpoint = round.checkpoint
            participants = round.participants
        }
    }

    let service: ServiceDocument
    let terms: Terms
    let phase: String
    let round: UInt32
    let closedRounds: UInt32
    @DecimalText var phaseSince: UInt64
    let deadline: DecimalText<UInt64>?
    @HexText var checkpoint: Digest
    @DecimalText var metricMicro: UInt64
    @DecimalText var lossMicro: UInt64
    @DecimalText var bestMetricMicro: UInt64
    let acceptedRounds: UInt32
    let rejectedRounds: UInt32
    @DecimalText var escrow: UInt128
    @DecimalText var owed: UInt128
    let reason: String
    @AddressText var validator: Account
    /// Absent in lists.
    let participants: [Participant]?
    let rounds: [Round]?

    init(
        service: ServiceDocument, status: JobStatus, participants: [JobParticipant]? = nil, rounds: [JobRound]? = nil
    ) {
        self.service = service
        terms = Terms(status.spec)
        phase = status.phase.description
        round = status.round
        closedRounds = Jobs.closedRounds(status)
        phaseSince = status.phaseSince.value
        deadline = status.deadline.map { DecimalText($0.value) }
        checkpoint = status.checkpoint
        metricMicro = status.metricMicro
        lossMicro = status.lossMicro
        bestMetricMicro = status.bestMetricMicro
        acceptedRounds = status.acceptedRounds
        rejectedRounds = status.rejectedRounds
        escrow = status.escrow
        owed = status.owed
        reason = status.reason
        validator = status.validator
        self.participants = participants?.map {
            Participant(
                account: $0.account, role: $0.role.description, standing: $0.standing.description, index: $0.index,
                samples: $0.samples, endpoint: $0.endpoint, kemPublicKey: $0.kemPublicKey, committed: $0.committed,
                revealed: $0.revealed, misses: $0.misses, acceptedRounds: $0.acceptedRounds, owed: $0.owed,
                bond: $0.bond)
        }
        self.rounds = rounds?.map { Round($0) }
    }
}

enum JobTables {
    static func text(_ job: JobDocument) -> String {
        let terms = job.terms
        let head = facts([
            ("job", Format.label(job.service.id) + (terms.title.isEmpty ? "" : ": \(terms.title)")),
            ("phase", job.phase + (job.reason.isEmpty ? "" : " (\(job.reason))")),
            ("since", Format.time(job.phaseSince)),
            ("deadline", job.deadline.map { Format.time($0.wrappedValue) }),
            (
                "rounds",
                "\(job.closedRounds) of \(terms.rounds) closed: \(job.acceptedRounds) accepted, \(job.rejectedRounds) not"
            ),
            (
                "accuracy",
                "\(Format.percent(micro: job.metricMicro)), best \(Format.percent(micro: job.bestMetricMicro)), loss \(Format.micro(job.lossMicro))"
            ),
            ("checkpoint", job.checkpoint.hex),
            ("money", "\(Format.money(job.escrow)) in escrow, \(Format.money(job.owed)) earned and not yet taken"),
            ("training", "\(terms.protocol), \(terms.stepsPerRound) steps a round"),
            (
                "workers",
                "\(terms.clouds) cloud, \(terms.workers) workers, quorum \(terms.quorum), \(terms.pace); input audit: \(terms.inputAudit)"
            ),
            ("validator", job.validator.description), ("contract", job.service.contract.description),
            ("owner", job.service.owner.description),
        ])
        var workers = Table([
            .left("role"), .right("#"), .left("account"), .left("standing"), .right("samples"), .left("endpoint"),
            .left("this round"), .right("accepted"), .right("owed"),
        ])
        for worker in job.participants ?? [] {
            workers.add(
                worker.role, "\(worker.index)", worker.account.short, worker.standing, Format.number(worker.samples),
                worker.endpoint, worker.revealed ? "revealed" : worker.committed ? "committed" : "-",
                "\(worker.acceptedRounds)", Format.number(worker.owed))
        }
        var rounds = roundTable
        for round in job.rounds ?? [] { add(round, to: &rounds) }
        return head + "\n\n" + workers.text(none: "no worker has applied yet") + "\n\n"
            + rounds.text(none: "no round is closed yet")
    }

    private static var roundTable: Table {
        Table([
            .right("round"), .left("outcome"), .right("accuracy"), .right("loss"), .right("delivered"), .left("closed"),
            .left("checkpoint"),
        ])
    }

    private static func add(_ round: JobDocument.Round, to table: inout Table) {
        table.add(
            "\(round.round)", round.outcome, Format.percent(micro: round.metricMicro), Format.micro(round.lossMicro),
            "\(round.participants)", Format.time(round.closedAt), Format.short(round.checkpoint))
    }
}

/// `job watch`
enum JobWatch {
    /// - Parameter tensorboard: a folder to which each closed round goes as TensorBoard's events.
    static func run(
        _ name: ServiceId, _ client: ChainClient, _ global: GlobalOptions, tensorboard: String? = nil
    ) async throws {
        var last: JobProgress.Update?
        var log = try tensorboard.map { try EventLog(folder: $0, run: Format.label(name)) }
        for try await update in client.progress(of: name) {
            if last == nil, !global.json { Console.out(headline(name, update.status)) }
            if !global.json {
                Progress.clear()
                for round in update.closed { Console.out(line(round, of: update.status.spec.rounds)) }
            }
            for round in update.closed {
                try log?.add(
                    [
                        ("accuracy/validation", Double(round.metricMicro) / 1e6),
                        ("loss/validation", Double(round.lossMicro) / 1e6),
                        ("participants", Double(round.participants)),
                        ("accepted", round.outcome == .accepted ? 1 : 0),
                    ], step: Int(round.round) + 1)
            }
            Progress.show(progress(update))
            last = update
        }
        Progress.clear()
        guard let last else { throw CancellationError() }
        if global.json {
            Console.json(try await Jobs.read(name, client))
        } else {
            let status = last.status
            Console.out(
                "\(status.phase): accuracy \(Format.percent(micro: status.metricMicro)), best "
                    + "\(Format.percent(micro: status.bestMetricMicro)), \(status.acceptedRounds) rounds accepted, "
                    + "\(status.rejectedRounds) not" + (status.reason.isEmpty ? "" : "; \(status.reason)"))
        }
        if last.status.phase == .aborted {
            throw AbortedJob(description: "the job '\(Format.label(name))' was aborted: \(last.status.reason)")
        }
    }

    private static func headline(_ name: ServiceId, _ status: JobStatus) -> String {
        "job \(Format.label(name)): \(status.spec.rounds) rounds of \(status.spec.stepsPerRound) steps, "
            + "\(status.spec.workers) workers; phase \(status.phase)"
    }

    /// Rounds are numbered from 0, here as in posts, events and the workers' logs.
    private static func line(_ round: JobRound, of rounds: UInt32) -> String {
        "round \(round.round) (last: \(rounds &- 1))  \(round.outcome)  accuracy \(Format.percent(micro: round.metricMicro))  "
            + "loss \(Format.micro(round.lossMicro))  delivered \(round.participants)  \(Format.time(round.closedAt.value))"
    }

    private static func progress(_ update: JobProgress.Update) -> String {
        "block \(update.height), round \(update.status.round) (last: \(update.status.spec.rounds &- 1)), \(update.status.phase)"
    }
}

/// The job was shown already; what is left is the exit code.
struct AbortedJob: Error, CustomStringConvertible {
    let description: String
}
