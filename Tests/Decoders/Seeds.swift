import Audit
import Consensus
import Cryptography
import Encoding
import Foundation
import JobProtocol
import NodeCore
import NodeHome
import PeerNetwork
import Primitives
import Samples
import StateSync
import StateTree
import TestSupport
import Training

/// Bytes that the decoders take, for mutations to begin with.
extension Decoder {
    /// - Parameter generator: gives other seeds each time.
    package func seed(_ g: inout SeededGenerator) -> [UInt8] {
        switch self {
        case .transaction: g.signedTransaction()?.borsh ?? []
        case .block:
            Self.either(
                &g,
                [
                    { $0.block().borsh },
                    { g in FinalizedBlock(block: g.block(), finalization: g.certificate(g.finalize())).borsh },
                    { $0.header().borsh }, { $0.parentCertificate().borsh },
                    { g in
                        guard let finalization = g.certificate(g.finalize()), let set = g.set() else { return [] }
                        return EpochLink(header: g.header(), finalization: finalization, nextSet: set).borsh
                    },
                    { $0.certificate($0.proposal())?.borsh ?? [] },
                    { $0.certificate(Nullify(epoch: $0.counter(), view: $0.counter()))?.borsh ?? [] },
                    { $0.certificate($0.finalize())?.borsh ?? [] }, { $0.set()?.borsh ?? [] },
                ])
        case .order:
            Self.either(
                &g,
                [
                    { $0.registration().borsh }, { $0.upgrade().borsh }, { $0.handOver().borsh }, { $0.retirement().borsh },
                    { Transfer(recipient: $0.words()).borsh },
                    {
                        RegisterMasternode(name: $0.text(40), consensusKey: $0.words(), beaconTip: $0.words(), consent: $0.signature())
                            .borsh
                    },
                    { MasternodeReference(consensusKey: $0.words()).borsh }, { $0.evidence()?.borsh ?? [] },
                    { ProposeChange(change: $0.change(), from: $0.counter()).borsh }, { Ballot(approves: $0.flag()).borsh },
                ])
        case .state:
            Self.either(
                &g,
                [
                    { $0.record().borsh }, { $0.service().borsh }, { $0.receipt().borsh }, { $0.entry().borsh },
                    { ReputationRecord(positive: $0.u64(), negative: $0.u64(), period: $0.u64()).borsh },
                    { $0.masternodeRecord().borsh }, { g in MasternodeIndex(g.list(6) { $0.words() }).borsh },
                    { $0.proposalRecord().borsh }, { g in ProposalIndex(next: g.u64(), open: g.list(9) { $0.u64() }).borsh },
                    { g in g.set().map { EpochPlan(epoch: g.counter(), seed: g.words(), set: $0).borsh } ?? [] },
                    { $0.epochProgress().borsh },
                ])
        case .message: Self.message(&g)
        case .snapshot: Self.snapshot(&g)
        case .frame: Self.frames(&g)
        case .handshake:
            g.flag()
                ? [UInt8(g.below(4))] + g.bytes(g.below(200))
                : [0] + Hello(genesisHash: g.words(), listenAddress: g.text(40), agent: g.text(20), endorsement: nil).borsh
        case .audit: Self.audit(&g)
        case .envelope:
            [0] + EnvelopeContext(
                genesisHash: g.words(), jobId: g.words(), round: UInt32(g.below(9)), step: UInt32(g.below(9)),
                kind: MessageKind.allCases[g.below(MessageKind.allCases.count)], index: g.u16(), previousDigest: g.words(),
                senderKey: g.words(), receiverKemKey: g.words()
            ).borsh + g.bytes(64) + UInt32(9).borsh + g.bytes(9) + g.bytes(64)
        case .training: [UInt8(g.below(16))] + g.bytes(8) + [1] + UInt32(g.below(4)).borsh + g.bytes(g.below(40))
        case .safetensors:
            Safetensors(
                tensors: (0..<g.below(4)).map { place in
                    let shape = (0..<g.below(3)).map { _ in 1 + g.below(3) }
                    return Safetensors.Tensor(name: "t\(place)", shape: shape, values: (0..<shape.reduce(1, *)).map { Float($0) })
                }, metadata: g.flag() ? ["k": g.text(9)] : [:]
            ).bytes
        case .job: Self.job(&g)
        case .model: Array(Self.models[g.below(Self.models.count)].utf8)
        case .genesis: g.genesis().flatMap { try? GenesisDocument($0).encoded() }.map { Array($0) } ?? []
        case .configuration: Self.configuration(&g)
        }
    }

    private typealias Make = (inout SeededGenerator) -> [UInt8]

    /// One of a family, with the byte before it that chooses the type.
    private static func either(_ g: inout SeededGenerator, _ makes: [Make]) -> [UInt8] {
        let place = g.below(makes.count)
        return [UInt8(place)] + makes[place](&g)
    }

    private static func message(_ g: inout SeededGenerator) -> [UInt8] {
        if g.below(4) == 0 {
            let ids = (0..<g.below(4)).flatMap { _ in g.bytes(32) }
            return [NodeMessage.Kind.sketch.rawValue] + g.header().borsh + g.parentCertificate().borsh
                + UInt32(ids.count / 32).borsh + ids
        }
        let message: NodeMessage =
            switch g.below(9) {
            case 0: .body(g.block())
            case 1: .wantBody(g.words())
            case 2: .transactions(g.list(3) { $0.signedTransaction() }.compactMap { $0 })
            case 3: .head(height: g.counter(), digest: g.words())
            case 4: .wantBlocks(from: g.counter(), count: g.u16())
            case 5: .wantParts(g.words(), [1, 2 + UInt32(g.below(5))])
            case 6: .parts(g.list(2) { $0.signedTransaction() }.compactMap { $0 })
            case 7: .blocks(g.list(2) { g in FinalizedBlock(block: g.block(), finalization: g.certificate(g.finalize())) })
            default:
                .consensus(.notarizeVote(Vote(subject: g.proposal(), signer: g.u16(), signature: g.signature())))
            }
        return [message.kind.rawValue] + message.payload
    }

    private static func snapshot(_ g: inout SeededGenerator) -> [UInt8] {
        let message: SnapshotMessage =
            switch g.below(8) {
            case 0: .wantOffers
            case 1: .offers(g.list(3) { SnapshotOffer(height: $0.counter(), digest: $0.words()) })
            case 2: .wantHead(g.words())
            case 3: .head(g.words(), g.maybe { g in FinalizedBlock(block: g.block(), finalization: g.certificate(g.finalize())) })
            case 4: .wantLinks(g.words(), from: g.counter())
            case 5: .links(g.words(), from: g.counter(), SnapshotMessage.Links(links: [], isLast: g.flag()))
            case 6: .wantChunk(g.words(), start: g.words(), minimumDepth: UInt16(g.below(300)))
            default: .chunk(g.words(), start: g.words(), nil)
            }
        return [message.kind.rawValue] + message.payload
    }

    private static func frames(_ g: inout SeededGenerator) -> [UInt8] {
        (0..<1 + g.below(4)).flatMap { _ -> [UInt8] in
            let payload = g.bytes(g.below(30))
            return UInt32(payload.count + 1).borsh + [UInt8(g.below(40))] + payload
        }
    }

    /// Without its checksum.
    private static func audit(_ g: inout SeededGenerator) -> [UInt8] {
        // No siblings, and nothing at the end of the path.
        let nothing = try? StateProof(borsh: [1] + UInt32(0).borsh)
        guard let proof = nothing, let finalization = g.certificate(g.finalize()) else { return [] }
        let file = AuditFile(
            genesisHash: g.words(), account: g.words(), header: g.header(), finalization: finalization,
            record: ProvenValue(value: g.record(), proof: proof), entries: g.list(3) { $0.entry() }
        ) { _ in ProvenValue(value: nil, proof: proof) }
        return file.bytes.dropLast(32)
    }

    private static func job(_ g: inout SeededGenerator) -> [UInt8] {
        let spec = JobSpec(
            title: g.text(20), trainingProtocol: .fog, mode: .asynchronous, bufferedUpdates: 2, clouds: 2, workers: 3,
            devices: 4, quorum: 1, rounds: 5, stepsPerRound: 6, openTimeoutMs: 10_000, confirmTimeoutMs: 10_001,
            commitMinMs: 10_002, commitMaxMs: 10_003, revealTimeoutMs: 10_004, validateTimeoutMs: 10_005,
            challengeTimeoutMs: 10_006, pauseLimitMs: 10_007, epsilonMicro: 12, metric: .loss,
            committee: .named([g.words()], size: 1), placement: .reputation(atLeast: 13), bond: g.u128(), inputAudit: .owner,
            cloudPrice: g.u128(), workerPrice: g.u128(), validatorPrice: 17, sponsoredCredits: 18,
            initialCheckpoint: g.words(), plan: g.bytes(g.below(20)))
        return g.flag() ? [0] + spec.borsh : [UInt8(1 + g.below(15))] + g.bytes(g.below(120))
    }

    private static let models = [
        """
        input: [1, 32, 32]
        classes: 10
        layers:
          - convolution: {name: c1, filters: 6, kernel: 5, stride: 1, padding: valid}
          - relu
          - average-pooling: {size: 2}
          - cut
          - flatten
          - dense: {units: 10}
        """,
        "input: [4]\nclasses: 2\nlayers:\n  - dense: {units: 3}\n  - tanh\n  - dense: {units: 2}\n",
    ]

    private static func configuration(_ g: inout SeededGenerator) -> [UInt8] {
        let text = """
            {"name": "n", "api": {"host": "127.0.0.1", "port": \(1 + g.below(65_535))}, "peer": {"host": "::", "port": 26500},
             "peers": [{"name": "a", "host": "h", "port": 1, "consensusKey": "\(Hexadecimal.encode(g.bytes(32)))"}]}
            """
        return [1] + Array(text.utf8)
    }
}
