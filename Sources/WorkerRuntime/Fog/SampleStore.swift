import Cryptography
import Primitives
import Training

/// What a fog node's devices have handed to it, or an edge's in a split job. Each device has an even part of the room; what it sent twice counts
/// once. Nothing of it is written anywhere: a fog node that restarts is given everything again.
package actor SampleStore {
    private struct Device {
        var parts: [UInt32: FeatureSet] = [:]
        var bytes = 0
        var count: Int { parts.values.reduce(0) { $0 + $1.count } }
    }

    private struct Coming {
        let device: Account
        let step: UInt32
        let bytes: Int
    }

    private let shareBytes: Int
    private let shape: [Int]
    private let classes: Int
    private let open: @Sendable (Envelope) throws -> DeviceSamplesMessage
    private var devices: [Account: Device] = [:]
    private var coming: [UInt64: Coming] = [:]
    private var nextPlace: UInt64 = 0

    /// - Parameters:
    ///   - shareBytes: of what one device may send.
    ///   - shape: of one sample, as the model takes it.
    ///   - open: opens and decodes an envelope with samples.
    package init(
        shareBytes: Int, shape: [Int], classes: Int, open: @escaping @Sendable (Envelope) throws -> DeviceSamplesMessage
    ) {
        self.shareBytes = shareBytes
        self.shape = shape
        self.classes = classes
        self.open = open
    }

    package func reserve(_ head: EnvelopeHead) -> Inbox.Decision {
        let (device, step) = (head.context.senderKey, head.context.step)
        if devices[device]?.parts[step] != nil { return .had }
        // One at a time: the device sends them one after the other.
        for (place, other) in coming where other.device == device { coming[place] = nil }
        guard (devices[device]?.bytes ?? 0) + head.ciphertextLength <= shareBytes else { return .later }
        nextPlace &+= 1
        coming[nextPlace] = Coming(device: device, step: step, bytes: head.ciphertextLength)
        return .place(nextPlace)
    }

    package func cancel(_ place: UInt64) { coming[place] = nil }

    package func fill(_ place: UInt64, with envelope: Envelope) {
        guard let expected = coming.removeValue(forKey: place), let message = try? open(envelope),
            message.step == expected.step, message.samples.shape == shape,
            message.samples.labels.allSatisfy({ Int($0) < classes })
        else { return }
        devices[expected.device, default: Device()].parts[message.step] = message.samples
        devices[expected.device]?.bytes += expected.bytes
    }

    /// Parts that are here of this device, ascending.
    package func held(of device: Account) -> [UInt32] { devices[device]?.parts.keys.sorted() ?? [] }

    /// Whether all samples that a device has announced are here. One that sent more than it announced begins anew.
    package func isComplete(_ device: Account, samples: UInt32) -> Bool {
        let count = devices[device]?.count ?? 0
        if count > Int(samples) { devices[device] = nil }
        return count == Int(samples)
    }

    /// All samples of these devices, in the order given; nil where there are none.
    package func samples(of accounts: [Account]) throws -> FeatureSet? {
        var all: FeatureSet?
        for account in accounts {
            let parts = devices[account]?.parts ?? [:]
            for step in parts.keys.sorted() {
                guard let samples = parts[step] else { continue }
                if all == nil { all = samples } else { try all?.append(samples) }
            }
        }
        return all
    }

    /// Who is no device of this fog node any more gives its room back.
    package func keepOnly(_ accounts: Set<Account>) { devices = devices.filter { accounts.contains($0.key) } }
}

/// Where an envelope waits: samples with the samples, everything else for its round.
package struct Mailroom: Sendable {
    let inbox: Inbox
    /// Of a fog node alone.
    let samples: SampleStore?
    /// Of an asynchronous fog job's cloud.
    let updates: UpdateBuffer?

    package init(inbox: Inbox, samples: SampleStore? = nil, updates: UpdateBuffer? = nil) {
        self.inbox = inbox
        self.samples = samples
        self.updates = updates
    }

    func reserve(_ head: EnvelopeHead) async -> Inbox.Decision {
        if let updates, await updates.holds(head.commitment, of: head.context.senderKey) { return .had }
        guard head.context.kind == .deviceSamples else { return await inbox.reserve(head) }
        return await samples?.reserve(head) ?? .later
    }

    func fill(_ place: UInt64, with envelope: Envelope) async {
        if envelope.context.kind == .deviceSamples {
            await samples?.fill(place, with: envelope)
        } else {
            await inbox.fill(place, with: envelope)
        }
    }

    func cancel(_ place: UInt64, of head: EnvelopeHead) async {
        if head.context.kind == .deviceSamples { await samples?.cancel(place) } else { await inbox.cancel(place) }
    }
}
