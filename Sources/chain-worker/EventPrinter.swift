import Foundation
import JobProtocol
import Primitives
import WorkerRuntime

/// Tells what the worker does, a line an event, on standard output. As JSON each line says when, for which job and of
/// which worker it is, so that the logs of many can be put together.
struct EventPrinter: Sendable {
    let json: Bool
    let job: String
    let worker: String

    private struct Line: Encodable {
        /// RFC 3339, UTC, with milliseconds.
        var time: String?
        var job: String?
        var worker: String?
        let event: String
        var round: UInt32?
        var loss: Double?
        var accuracy: Double?
        var seconds: Double?
        var outcome: String?
        var file: String?
        var text: String?
    }

    func print(_ event: WorkerEvent) {
        var line = line(event)
        if json {
            // The style is in UTC, and says so only when it is told to.
            line.time = Date().formatted(
                .iso8601.year().month().day().time(includingFractionalSeconds: true).timeZone(separator: .omitted))
            line.job = job
            line.worker = worker
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            guard let data = try? encoder.encode(line) else { return }
            write(String(decoding: data, as: UTF8.self))
        } else {
            write(text(line))
        }
    }

    /// Work goes on when nobody reads what is told.
    private func write(_ text: String) { try? FileHandle.standardOutput.write(contentsOf: Data((text + "\n").utf8)) }

    private func line(_ event: WorkerEvent) -> Line {
        switch event {
        case .listening(let endpoint): Line(event: "listening", text: endpoint)
        case .terms(let spec, let validator):
            Line(
                event: "terms",
                text: Terms.text(of: spec, validator: validator))
        case .joined(let account): Line(event: "joined", text: account.description)
        case .roundStarted(let round): Line(event: "started", round: round)
        case .roundDone(let round, let loss, let seconds):
            Line(event: "done", round: round, loss: Double(loss) / 1e6, seconds: seconds)
        case .roundAbandoned(let round, let reason): Line(event: "abandoned", round: round, text: reason)
        case .edgeDropped(let round, let index): Line(event: "dropped", round: round, text: "worker \(index)")
        case .leftOut(let round, let index, let reason):
            Line(event: "left out", round: round, text: "worker \(index): \(reason)")
        case .fed(let count, let fog): Line(event: "delivered", text: "\(count) samples to \(fog)")
        case .validated(let round, let accuracy, let loss):
            Line(event: "validated", round: round, loss: Double(loss) / 1e6, accuracy: Double(accuracy) / 1e6)
        case .audited(let round, let account, let count, nil):
            Line(event: "audited", round: round, text: "\(account): \(count) done again, all match")
        case .audited(let round, let account, let step, let problem?):
            Line(event: "audited", round: round, text: "\(account), step \(step): \(problem)")
        case .disputed(let account, let text): Line(event: "dispute", text: "about \(account): \(text)")
        case .roundClosed(let round):
            Line(
                event: "closed", round: round.round, loss: Double(round.lossMicro) / 1e6,
                accuracy: Double(round.metricMicro) / 1e6, outcome: round.outcome.description)
        case .waiting(let text): Line(event: "waiting", text: text)
        case .saved(let path, let digest): Line(event: "saved", file: path, text: "model \(digest.hex)")
        case .warning(let text): Line(event: "warning", text: text)
        case .finished(let rounds, let accuracy):
            Line(event: "finished", accuracy: Double(accuracy) / 1e6, text: "\(rounds) accepted rounds")
        }
    }

    private func text(_ line: Line) -> String {
        var parts = [line.event]
        if let round = line.round { parts.append("round \(round)") }
        if let outcome = line.outcome { parts.append(outcome) }
        if let accuracy = line.accuracy { parts.append(String(format: "accuracy %.2f%%", accuracy * 100)) }
        if let loss = line.loss { parts.append(String(format: "loss %.4f", loss)) }
        if let seconds = line.seconds { parts.append(String(format: "%.2f s", seconds)) }
        if let file = line.file { parts.append(file) }
        if let text = line.text { parts.append(text) }
        return parts.joined(separator: "  ")
    }
}
