import NodeCore


/// What a seed draws at its start: how rough the run is, and which kinds of faults it has.
struct Scenario {
    let faultsUntilMs: UInt64
    let realSignatures: Bool
    let usesContract: Bool
    /// Messages travel as bytes rather than as values.
    let isWired: Bool
    let crashes: Bool
    let partitions: Bool
    let pauses: Bool
    let diskErrors: Bool
    let clockSteps: Bool
    /// Wall clocks are at most this wrong.
    let skewMs: UInt64
    let hasFollower: Bool
    let hasLateJoiner: Bool
    let hasNuisance: Bool
    let losesVotes: Bool
    /// A masternode renews its hash chain of 1,024 links when fewer are left.
    let beaconReserve: Int
    let hasStrangers: Bool
    let liarsFallSilent: Bool
    /// Messages that even good links lose.
    let lossInPeacePercent: Int
    /// Cut far more often than in the product.
    let journalBytes: Int
    let candidateBlocks: Int
    let syncMessageBytes: Int
    /// Longest time that the store takes for a batch: some disks stall.
    let slowestCommitMs: UInt64

    init(_ chance: inout Chance, byzantine: Int) {
        faultsUntilMs = chance.among(8_000...30_000)
        realSignatures = chance.happens(4)
        usesContract = chance.happens(40)
        isWired = chance.happens(25)
        crashes = chance.happens(75)
        partitions = chance.happens(60)
        pauses = chance.happens(40)
        diskErrors = chance.happens(30)
        clockSteps = chance.happens(30)
        skewMs = chance.pick([0, 200, 900, 900, 4_000]) ?? 0
        hasFollower = chance.happens(30)
        hasLateJoiner = chance.happens(35)
        hasNuisance = chance.happens(30)
        liarsFallSilent = byzantine == 0 || chance.happens(40)
        lossInPeacePercent = chance.pick([0, 0, 2, 6]) ?? 0
        candidateBlocks = chance.pick([NodeLimits.candidateBlocks, 100]) ?? 0
        slowestCommitMs = chance.pick([60, 60, 60, 1_200]) ?? 60
        journalBytes = chance.pick([4_000, 40_000, 32_000_000]) ?? 0
        // Without a draw of its own, which would make every seed another run.
        syncMessageBytes = journalBytes == 4_000 && lossInPeacePercent > 0 ? 4_000 : NodeLimits.syncMessageBytes
        beaconReserve = chance.pick([0, 1_000, 1_020]) ?? 0
        losesVotes = chance.happens(30)
        hasStrangers = chance.happens(35)
    }
}
