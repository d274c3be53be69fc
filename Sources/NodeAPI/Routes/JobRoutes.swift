import APIModel
import Encoding
import Hummingbird
import JobProtocol
import Primitives

extension Routes {
    static let jobs: [Route] = [
        Route(
            method: .get, path: "/v1/services/{service}/job", weight: .light,
            operation: Operation(
                "getJob", "Where a training job stands: its phase, workers, closed rounds and money", .json("Job"),
                parameters: [.service], errors: [400, 404, 422, 429, 503])
        ) { input, node in
            let job = try await contract(of: try input.service(), node)
            let status = try await ask(job, .status, input, node, as: JobStatus.self)
            let workers = try await ask(job, .participants, input, node, as: JobParticipants.self)
            let history = try await ask(job, .history, input, node, as: JobHistory.self)
            return .document(JobViewDocument(status, workers, history))
        },
        Route(
            method: .get, path: "/v1/jobs/{service}/metrics", weight: .light,
            operation: Operation(
                "getJobMetrics", "How well a training job does: accuracy and loss of each of its last 64 closed rounds",
                .json("JobMetrics"), parameters: [.service], errors: [400, 404, 422, 429, 503])
        ) { input, node in
            let job = try await contract(of: try input.service(), node)
            let status = try await ask(job, .status, input, node, as: JobStatus.self)
            let history = try await ask(job, .history, input, node, as: JobHistory.self)
            return .document(JobMetricsDocument(status, history))
        },
    ]

    /// The name, if it is that of a service that calls itself a job.
    private static func contract(of name: ServiceId, _ node: RouteServices) async throws -> ServiceId {
        guard let view = try await node.backend.service(name) else { throw unknownService(name) }
        guard view.record.kind == "job" else {
            throw APIError(
                .unprocessableContent, "not_a_job", "the service is of kind '\(view.record.kind)', not a job")
        }
        return name
    }

    private static func ask<Reply: BorshDecodable>(
        _ job: ServiceId, _ query: JobQuery, _ input: RequestInput, _ node: RouteServices, as type: Reply.Type
    ) async throws -> Reply {
        let answer: QueryResult
        do { answer = try await node.query(job, input: query.input, for: input.context.holder) } catch QueryRefusal
            .storeDamaged
        {
            throw StoreDamaged()
        } catch is QueryRefusal { throw broken }
        guard let reply = try? Reply(borsh: answer.data) else { throw broken }
        return reply
    }

    private static let broken = APIError(
        .unprocessableContent, "not_a_job",
        "the service calls itself a job, and its contract does not answer as one: whoever works for it works for nothing"
    )
}

extension JobViewDocument {
    init(_ status: JobStatus, _ workers: JobParticipants, _ history: JobHistory) {
        self.init(
            title: status.spec.title, phase: status.phase.description, round: status.round, rounds: status.spec.rounds,
            phaseSince: status.phaseSince, deadline: status.deadline, reason: status.reason,
            checkpoint: status.checkpoint,
            metricMicro: status.metricMicro, lossMicro: status.lossMicro, bestMetricMicro: status.bestMetricMicro,
            acceptedRounds: status.acceptedRounds, rejectedRounds: status.rejectedRounds, escrow: status.escrow,
            owed: status.owed,
            workers: workers.all.map {
                Worker(
                    account: $0.account, role: $0.role.description, standing: $0.standing.description,
                    index: Int($0.index),
                    samples: $0.samples, endpoint: $0.endpoint, committed: $0.committed, revealed: $0.revealed,
                    misses: Int($0.misses), acceptedRounds: $0.acceptedRounds, owed: $0.owed)
            },
            history: history.rounds.map { Round($0) })
    }
}

extension JobViewDocument.Round {
    init(_ round: JobRound) {
        self.init(
            round: round.round, outcome: round.outcome.description, metricMicro: round.metricMicro,
            lossMicro: round.lossMicro, closedAt: round.closedAt, checkpoint: round.checkpoint,
            participants: Int(round.participants), paid: round.paid)
    }
}

extension JobMetricsDocument {
    init(_ status: JobStatus, _ history: JobHistory) {
        self.init(
            phase: status.phase.description, round: status.round, rounds: status.spec.rounds,
            metricMicro: status.metricMicro, lossMicro: status.lossMicro, bestMetricMicro: status.bestMetricMicro,
            history: history.rounds.map { JobViewDocument.Round($0) })
    }
}
