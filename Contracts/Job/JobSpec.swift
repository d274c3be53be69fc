/// What the owner registered; it never changes. The Borsh form is part of the interface.
struct JobSpec: BorshCodable {
    let version: UInt8
    let title: Bytes
    /// 0 split learning, 1 fog learning.
    let `protocol`: UInt8
    /// 0 LeNet-5, cut at S2.
    let model: UInt8
    let edges: UInt16
    let clouds: UInt16
    /// Edges that suffice after a deadline.
    let quorum: UInt16
    let rounds: UInt32
    let stepsPerRound: UInt32
    let batchSize: UInt32
    let learningRateMicro: UInt32
    let openTimeout: Milliseconds
    let commitMin: Milliseconds
    let commitMax: Milliseconds
    let revealTimeout: Milliseconds
    let validateTimeout: Milliseconds
    /// How much the metric may fall and still be accepted.
    let epsilonMicro: UInt32
    let seed: Bytes32
    let inputAudit: UInt8
    let validator: Account
    let validationSamples: UInt32

    init(from reader: inout Reader) {
        version = reader.integer()
        guard version == 1 else { reader.malformed("version is not 1") }
        title = reader.string(limit: 64)
        `protocol` = reader.integer()
        model = reader.integer()
        edges = reader.integer()
        clouds = reader.integer()
        quorum = reader.integer()
        rounds = reader.integer()
        stepsPerRound = reader.integer()
        batchSize = reader.integer()
        learningRateMicro = reader.integer()
        openTimeout = reader.integer()
        commitMin = reader.integer()
        commitMax = reader.integer()
        revealTimeout = reader.integer()
        validateTimeout = reader.integer()
        epsilonMicro = reader.integer()
        seed = reader.bytes32()
        inputAudit = reader.integer()
        validator = Account(from: &reader)
        validationSamples = reader.integer()
    }

    func encode(to writer: inout Writer) {
        writer.write(version)
        writer.write(string: title)
        writer.write(`protocol`)
        writer.write(model)
        writer.write(edges)
        writer.write(clouds)
        writer.write(quorum)
        writer.write(rounds)
        writer.write(stepsPerRound)
        writer.write(batchSize)
        writer.write(learningRateMicro)
        writer.write(openTimeout)
        writer.write(commitMin)
        writer.write(commitMax)
        writer.write(revealTimeout)
        writer.write(validateTimeout)
        writer.write(epsilonMicro)
        writer.write(seed)
        writer.write(inputAudit)
        writer.write(validator)
        writer.write(validationSamples)
    }

    /// 30 days. With `roundLimit` it keeps every sum of times far from overflow.
    private static let timeoutLimit: Milliseconds = 2_592_000_000
    private static let roundLimit: UInt32 = 1_000_000

    /// Refuses a job that could not run.
    func check() {
        func require(_ condition: Bool, _ rule: StaticString) {
            guard condition else { Chain.fail("job specification refused: \(rule)") }
        }
        func isTimeout(_ time: Milliseconds) -> Bool { 1...Self.timeoutLimit ~= time }

        require(`protocol` <= 1, "protocol is 0 (split) or 1 (fog)")
        require(model == 0, "model is 0 (LeNet-5 cut at S2)")
        require(clouds == 1, "clouds is 1")
        require(1...(SlotSet.capacity - 1) ~= edges, "edges is 1 to 63")
        require(1...edges ~= quorum, "quorum is 1 to the number of edges")
        require(1...Self.roundLimit ~= rounds, "rounds is 1 to 1000000")
        require(stepsPerRound > 0 && batchSize > 0, "stepsPerRound and batchSize are positive")
        require(learningRateMicro > 0, "learningRateMicro is positive")
        require(isTimeout(openTimeout), "openTimeoutMs is 1 ms to 30 days")
        require(isTimeout(commitMin) && isTimeout(commitMax), "commitMinMs and commitMaxMs are 1 ms to 30 days")
        require(commitMin <= commitMax, "commitMinMs is at most commitMaxMs")
        require(isTimeout(revealTimeout), "revealTimeoutMs is 1 ms to 30 days")
        require(isTimeout(validateTimeout), "validateTimeoutMs is 1 ms to 30 days")
        require(inputAudit <= 2, "inputAudit is 0 (none), 1 (owner) or 2 (committee)")
        require(validator != .zero, "a validator is named")
    }
}
