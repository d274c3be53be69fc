import Cryptography
import Encoding
import Primitives
import Tensor
import Training

let testSeed = JobSeed(words: Digest(sha256: Array("a seed for tests".utf8)).words)

/// Ten easy classes: a bright block whose place depends on the label, in noise drawn from `key`.
func syntheticDataset(count: Int, key: UInt64) throws -> Dataset {
    var stream = RandomStream(key: key)
    var pixels: [UInt8] = []
    var labels: [UInt8] = []
    for _ in 0..<count {
        let label = stream.nextIndex(below: 10)
        let (top, left) = (2 + (label / 5) * 13 + stream.nextIndex(below: 3), (label % 5) * 5 + stream.nextIndex(below: 2))
        for row in 0..<28 {
            for column in 0..<28 {
                let isInside = (top..<top + 9).contains(row) && (left..<left + 6).contains(column)
                pixels.append(UInt8((isInside ? 150 : 0) + stream.nextIndex(below: 100)))
            }
        }
        labels.append(UInt8(label))
    }
    return try Dataset(pixels: pixels, labels: labels)
}

func testFront(_ seed: JobSeed) throws -> Network { try Network(LeNet5.spec, part: .front, seed: seed) }

func testPlan(round: UInt32 = 0, steps: UInt32 = 3, batchSize: Int = 8) throws -> RoundPlan {
    try RoundPlan(
        seed: testSeed, round: round, steps: steps, batchSize: batchSize,
        optimiser: LeNet5.optimiser(learningRateMicro: LeNet5.suggestedLearningRateMicro))
}

/// The keys of one worker, from a name: tests stay the same from run to run.
struct Worker {
    let key: PrivateKey
    let kem: KEMPrivateKey

    init?(_ name: String) {
        guard let key = PrivateKey(seed: Digest(sha256: Array("sign \(name)".utf8)).bytes),
            let kem = KEMPrivateKey(bytes: Digest(sha256: Array("kem \(name)".utf8)).bytes)
        else { return nil }
        self.key = key
        self.kem = kem
    }

    var account: Account { Account(key.publicKey) }
    var party: Conversation.Party { .init(account: account, kemKey: kem.publicKey) }
}

enum DriverFailure: Error {
    case stalled
    case noKeys
}

/// Runs one split round with all messages delivered, each through a real envelope.
struct SplitDriver {
    var checkpoint: Checkpoint
    let shards: [any SampleSource]
    var threads = 1

    struct Outcome {
        let cloud: RoundResult
        let edges: [RoundResult]
        let fronts: [Network]
    }

    mutating func run(_ plan: RoundPlan) throws -> Outcome {
        guard let cloudKeys = Worker("cloud") else { throw DriverFailure.noKeys }
        let edgeKeys = shards.indices.compactMap { Worker("edge \($0)") }
        guard edgeKeys.count == shards.count else { throw DriverFailure.noKeys }
        let indices = shards.indices.map { UInt16($0) }

        var cloud = try CloudRound(
            plan: plan, edges: indices, quorum: shards.count, checkpoint: checkpoint, threads: threads)
        var edges = try indices.map {
            try EdgeRound(
                plan: plan, index: $0, front: checkpoint.front, shard: shards[Int($0)], threads: threads)
        }
        // One object for both sides: each seals and opens with its own keys, and they agree on every context.
        var conversations = indices.map {
            Conversation(
                genesisHash: Digest(sha256: [1]), jobId: Account(words: Digest(sha256: [2]).words), round: plan.round,
                index: $0, edge: edgeKeys[Int($0)].party, cloud: cloudKeys.party)
        }
        var results: [RoundResult?] = indices.map { _ in nil }
        var fronts: [Network?] = indices.map { _ in nil }
        var queue: [(edge: Int, action: EdgeRound.Action)] = []
        for index in edges.indices {
            queue += try edges[index].handle(.start).map { (index, $0) }
        }
        while !queue.isEmpty {
            let (index, action) = queue.removeFirst()
            switch action {
            case .finished(let result, let front):
                results[index] = result
                fronts[index] = front
            case .send(let message):
                let received = try transfer(
                    message, in: &conversations[index], from: edgeKeys[index].key, to: cloudKeys.kem
                ) { try edges[index].handle(.sent($0)) }
                let answers: [CloudRound.Action]
                switch received {
                case .activation(let activation):
                    answers = try cloud.handle(.activation(from: UInt16(index), activation))
                case .frontDifference(let difference):
                    answers = try cloud.handle(.difference(from: UInt16(index), difference))
                default: throw DriverFailure.stalled
                }
                for case .send(let edge, let answer) in answers {
                    let edge = Int(edge)
                    let opened = try transfer(
                        answer, in: &conversations[edge], from: cloudKeys.key, to: edgeKeys[edge].kem
                    ) { try cloud.handle(.sent($0)) }
                    switch opened {
                    case .gradient(let gradient):
                        queue += try edges[edge].handle(.gradient(gradient)).map { (edge, $0) }
                    case .frontAverage(let average):
                        queue += try edges[edge].handle(.average(average)).map { (edge, $0) }
                    default: throw DriverFailure.stalled
                    }
                }
            }
        }
        let outcome = try cloud.result()
        checkpoint = outcome.checkpoint
        guard results.allSatisfy({ $0 != nil }) else { throw DriverFailure.stalled }
        return Outcome(
            cloud: outcome.result, edges: results.compactMap { $0 }, fronts: fronts.compactMap { $0 })
    }

    /// Seals, encodes, decodes and opens a message; `report` hears of the commitment.
    private func transfer(
        _ message: AnyTrainingMessage, in conversation: inout Conversation, from sender: PrivateKey,
        to receiver: KEMPrivateKey, report: (Digest) throws -> some Any
    ) throws -> AnyTrainingMessage {
        var sending = conversation
        let salt = Digest(sha256: message.payload).bytes
        let envelope = try sending.seal(message, salt: salt, key: sender)
        _ = try report(envelope.commitment)
        return try conversation.open(
            Envelope(borsh: envelope.borsh), step: message.step, kind: message.kind, key: receiver)
    }
}
