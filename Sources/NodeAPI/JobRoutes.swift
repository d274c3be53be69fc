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
                parameters: [.service], errors: [400, 404, 422, 503])
        ) { input, node in
            let name = try input.service()
            guard let view = try await node.backend.service(name) else { throw unknownService(name) }
            guard view.record.kind == "job" else {
                throw APIError(
                    .unprocessableContent, "not_a_job", "the service is of kind '\(view.record.kind)', not a job")
            }
            func ask<Reply: BorshDecodable>(_ query: JobQuery, as type: Reply.Type = Reply.self) async throws -> Reply {
                let answer: QueryResult
                do { answer = try await node.query(name, input: query.input) } catch is QueryRefusal { throw broken }
                guard let reply = try? Reply(borsh: answer.data) else { throw broken }
                return reply
            }
            let status = try await ask(.status, as: JobStatus.self)
            let workers = try await ask(.participants, as: JobParticipants.self)
            let history = try await ask(.history, as: JobHistory.self)
            return .document(JobViewDocument(status, workers, history))
        }
    ]

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
            history: history.rounds.map {
                Round(
                    round: $0.round, outcome: $0.outcome.description, metricMicro: $0.metricMicro,
                    lossMicro: $0.lossMicro,
                    closedAt: $0.closedAt, checkpoint: $0.checkpoint, participants: Int($0.participants), paid: $0.paid)
            })
    }
}
