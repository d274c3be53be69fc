import Audit
import Cryptography
import Encoding
import Foundation
import JobProtocol
import ModelFiles
import NIOCore
import NodeCore
import NodeHome
import PeerNetwork
import Primitives
import StateSync
import Training

/// # Decoders
///
/// Everything that turns bytes of strangers into values, with what must hold for any bytes: it returns in bounded time and
/// memory, and what it takes is encoded to the same bytes again (or, for texts, to a text of the same meaning). The short
/// fuzz in the tests and libFuzzer (`scripts/fuzz`) run the same properties.
package enum Decoder: String, CaseIterable, Sendable {
    case transaction, block, order, state, message, snapshot, frame, handshake, audit, envelope, training, safetensors
    case job, model, genesis, configuration

    /// What must never be.
    package struct Violation: Error, CustomStringConvertible {
        package let description: String
    }

    /// - Returns: whether the bytes were taken.
    /// - Throws: ``Violation``.
    package func check(_ bytes: [UInt8]) throws -> Bool {
        switch self {
        case .transaction: try Self.canonical(SignedTransaction.self, bytes)
        case .block: try Self.choose(bytes, Self.blocks)
        case .order: try Self.choose(bytes, Self.orders)
        case .state: try Self.choose(bytes, Self.states)
        case .message: try Self.message(bytes)
        case .snapshot: try Self.snapshot(bytes)
        case .frame: try Self.frames(bytes)
        case .handshake: try Self.choose(bytes, Self.handshakes)
        case .audit: try Self.audit(bytes)
        case .envelope: try Self.choose(bytes, Self.envelopes)
        case .training: try Self.choose(bytes, Self.trainings)
        case .safetensors: try Self.safetensors(bytes)
        case .job: try Self.choose(bytes, Self.jobs)
        case .model: try Self.model(bytes)
        case .genesis: try Self.genesis(bytes)
        case .configuration: try Self.configuration(bytes)
        }
    }

    // MARK: Borsh

    private typealias Check = @Sendable ([UInt8]) throws -> Bool

    private static func canonical<Value: BorshCodable>(_ type: Value.Type, _ bytes: [UInt8]) throws -> Bool {
        let value: Value
        do { value = try Value(borsh: bytes) } catch { return false }
        guard value.borsh == bytes else { throw Violation(description: "\(type): what was taken is encoded to other bytes") }
        return true
    }

    private static func of<Value: BorshCodable & SendableMetatype>(_ type: Value.Type) -> Check { { try canonical(type, $0) } }

    /// Of a value whose text is made fit for a terminal as it is read: what it became is what it stays.
    private static func cleaned<Value: BorshCodable & Equatable & SendableMetatype>(_ type: Value.Type) -> Check {
        { bytes in
            let value: Value
            do { value = try Value(borsh: bytes) } catch { return false }
            guard try Value(borsh: value.borsh) == value else {
                throw Violation(description: "\(type): what was taken is another value after it is sent on")
            }
            return true
        }
    }

    /// The first byte says which type of a family the others are to be.
    private static func choose(_ bytes: [UInt8], _ checks: [Check]) throws -> Bool {
        guard let first = bytes.first else { return false }
        return try checks[Int(first) % checks.count](Array(bytes.dropFirst()))
    }

    private static let blocks: [Check] = [
        of(Block.self), of(FinalizedBlock.self), of(Header.self), of(ParentCertificate.self), of(EpochLink.self),
        of(Notarization.self), of(Nullification.self), of(Finalization.self), of(MasternodeSet.self),
    ]

    private static let orders: [Check] = [
        of(RegisterService.self), of(UpgradeService.self), of(TransferService.self), of(RetireService.self), of(Transfer.self),
        of(RegisterMasternode.self), of(MasternodeReference.self), of(Evidence.self), of(ProposeChange.self), of(Ballot.self),
        of(UnlockMoney.self), of(CancelTransaction.self), of(RenewBeacon.self),
    ]

    /// What a node that joins takes from a peer.
    private static let states: [Check] = [
        of(AccountRecord.self), of(ServiceRecord.self), of(Receipt.self), of(HistoryEntry.self), of(ReputationRecord.self),
        of(MasternodeRecord.self), of(MasternodeIndex.self), of(ProposalRecord.self), of(ProposalIndex.self), of(EpochPlan.self),
        of(EpochProgress.self), of(MembershipRecord.self), of(PanelRecord.self), of(OwnerLock.self), of(SponsorUse.self),
        of(Parameters.self), of(Genesis.self),
    ]

    private static let handshakes: [Check] = [
        of(Hello.self), cleaned(Goodbye.self), of(EndorsedAddress.self), of(AddressAnswer.self),
    ]

    private static let envelopes: [Check] = [of(Envelope.self), of(EnvelopeHead.self), of(EnvelopeContext.self)]

    private static let trainings: [Check] = [
        of(ActivationMessage.self), of(GradientMessage.self), of(FrontDifferenceMessage.self), of(FrontAverageMessage.self),
        of(DeviceSamplesMessage.self), of(FogDifferenceMessage.self), of(FogMeanMessage.self), of(SecureSumUpMessage.self),
        of(SecureSumDownMessage.self), of(TrainingPlan.self), of(ModelSpec.self), of(DataPlan.self), of(NetworkManifest.self),
        of(Checkpoint.self), of(FrontUpdate.self), of(Difference.self),
    ]

    private static let jobs: [Check] = [
        of(JobSpec.self), of(JobApplication.self), of(JobIdentity.self), of(JobCommitment.self), of(JobReveal.self),
        of(JobValidation.self), of(JobComplaint.self), of(JobOpening.self), of(JobRelease.self), of(JobStatus.self),
        of(JobParticipants.self), of(JobPartners.self), of(JobComplaints.self), of(JobRound.self), of(JobHistory.self),
        of(JobPhaseEvent.self),
    ]

    // MARK: Between nodes

    /// The frame's kind, then its payload.
    private static func message(_ bytes: [UInt8]) throws -> Bool {
        guard let kind = bytes.first else { return false }
        let payload = Array(bytes.dropFirst())
        let message: NodeMessage
        do { message = try NodeMessage(kind: kind, payload: payload) } catch { return false }
        guard message.kind.rawValue == kind, message.payload == payload else {
            throw Violation(description: "a message of kind \(kind) is encoded to other bytes")
        }
        return true
    }

    private static func snapshot(_ bytes: [UInt8]) throws -> Bool {
        guard let first = bytes.first, let kind = SnapshotMessage.Kind(rawValue: 32 + first % 8) else { return false }
        let payload = Array(bytes.dropFirst())
        let message: SnapshotMessage
        do { message = try SnapshotMessage(kind: kind, payload: payload) } catch { return false }
        guard message.kind == kind, message.payload == payload else {
            throw Violation(description: "a snapshot message of kind \(kind) is encoded to other bytes")
        }
        return true
    }

    /// A stream gives the same frames however it is cut, and they are its bytes.
    private static func frames(_ bytes: [UInt8]) throws -> Bool {
        let whole = read(bytes, cut: bytes.count)
        let pieces = read(bytes, cut: 1 + Int(bytes.first ?? 0) % 7)
        guard whole == pieces else { throw Violation(description: "the frames depend on how the stream is cut") }
        let again = whole.frames.flatMap { frame -> [UInt8] in
            UInt32(truncatingIfNeeded: frame.payload.count + 1).borsh + [frame.kind] + frame.payload
        }
        guard bytes.starts(with: again) else { throw Violation(description: "the frames are not the stream's bytes") }
        return !whole.frames.isEmpty
    }

    private struct Stream: Equatable {
        var frames: [Frame] = []
        var failed = false
    }

    private static func read(_ bytes: [UInt8], cut: Int) -> Stream {
        var reader = FrameReader(limit: 4_096)
        var stream = Stream()
        var start = 0
        repeat {
            let end = min(bytes.count, start + max(1, cut))
            reader.append(ByteBuffer(bytes: bytes[start..<end]))
            start = end
            do throws(FrameReader.Failure) {
                while let frame = try reader.next() { stream.frames.append(frame) }
            } catch {
                stream.failed = true
                return stream
            }
        } while start < bytes.count
        return stream
    }

    // MARK: Files

    /// The bytes without the checksum at their end, which no mutation would hit.
    private static func audit(_ bytes: [UInt8]) throws -> Bool {
        let whole = bytes + Digest(sha256: bytes).bytes
        let file: AuditFile
        do { file = try AuditFile(bytes: whole) } catch { return false }
        guard file.bytes == whole else { throw Violation(description: "an audit file is encoded to other bytes") }
        return true
    }

    private static func safetensors(_ bytes: [UInt8]) throws -> Bool {
        let file: Safetensors
        do { file = try Safetensors(bytes: bytes) } catch { return false }
        // By the bytes of what is written: a NaN is no other NaN.
        let written = file.bytes
        guard let again = try? Safetensors(bytes: written), again.bytes == written,
            again.tensors.map(\.name) == file.tensors.map(\.name), again.tensors.map(\.shape) == file.tensors.map(\.shape)
        else { throw Violation(description: "what was taken can't be written and read") }
        _ = try? SavedModel(file: bytes)
        return true
    }

    private static func model(_ bytes: [UInt8]) throws -> Bool {
        guard let text = String(validating: bytes, as: UTF8.self), let spec = try? ModelFile.read(text) else { return false }
        guard (try? ModelFile.read(spec.yaml)) == spec, (try? ModelSpec(borsh: spec.borsh)) == spec else {
            throw Violation(description: "a model is written as another one")
        }
        return true
    }

    private static func genesis(_ bytes: [UInt8]) throws -> Bool {
        guard let genesis = try? GenesisDocument.decode(Data(bytes)) else { return false }
        guard let again = try? GenesisDocument.decode(GenesisDocument(genesis).encoded()), again == genesis,
            (try? Genesis(borsh: genesis.borsh)) == genesis
        else { throw Violation(description: "a genesis is written as another one") }
        return true
    }

    /// What people write for a node: its configuration, and a member's document.
    private static func configuration(_ bytes: [UInt8]) throws -> Bool {
        guard let first = bytes.first else { return false }
        let data = Data(bytes.dropFirst())
        if first % 2 == 0 { return (try? MemberDocument.decode(data)) != nil }
        guard (try? NodeConfiguration.form.check(json: data)) != nil,
            let configuration = try? JSONDecoder().decode(NodeConfiguration.self, from: data)
        else { return false }
        guard let written = try? JSONEncoder().encode(configuration),
            (try? JSONDecoder().decode(NodeConfiguration.self, from: written)) == configuration
        else { throw Violation(description: "a configuration is written as another one") }
        return true
    }
}
