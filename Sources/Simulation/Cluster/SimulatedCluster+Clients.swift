import Cryptography
import Encoding
import Ledger
import NodeCore
import Primitives

/// A client with a key of its own: it signs each sequence once, and submits it again until it is final.
struct Client {
    struct Waiting {
        let sequence: UInt64
        let id: TransactionId
        let signed: SignedTransaction
        var sentAt: UInt64
    }

    let key: SimulatedKey
    var next: UInt64 = 0
    var waiting: [Waiting] = []
    var finalCount = 0
    /// Where its last one is.
    var highest = Height.zero
    var wants = 0

    init(key: SimulatedKey) { self.key = key }

    var isDone: Bool { waiting.isEmpty }
}

extension SimulatedCluster {
    private static let windowOfClient = 6

    func act(_ client: Int) {
        // New ones until a while after the healing; then only what is not final yet.
        let isWorking = !isHealed || now < healedAt + 2_500
        let window = clients[client].key.account == cast.owner.account ? 2 : Self.windowOfClient
        if isWorking, clients[client].waiting.count < window {
            for _ in 0..<(1 + chance.below(3)) { want(client) }
        }
        for index in clients[client].waiting.indices where now >= clients[client].waiting[index].sentAt + 2_500 {
            clients[client].waiting[index].sentAt = now
            submit(clients[client].waiting[index].signed)
        }
        if isWorking || !clients[client].isDone {
            queue.add(.client(client), at: now + chance.among(150...(chance.happens(20) ? 6_000 : 1_200)))
        }
    }

    private func want(_ client: Int) {
        let sequence = clients[client].next
        guard
            let signed = try? transaction(of: client, sequence: sequence)
        else { return fail("a client can't sign") }
        let id = signed.id(genesis: cast.genesisHash)
        clients[client].next += 1
        clients[client].waiting.append(Client.Waiting(sequence: sequence, id: id, signed: signed, sentAt: now))
        submit(signed)
    }

    private static let service = ServiceId(unchecked: Array("counter".utf8))

    private func transaction(of client: Int, sequence: UInt64) throws -> SignedTransaction {
        let (action, service, data, value): (ActionId, ServiceId, [UInt8], UInt128)
        let code = scenario.usesContract ? configuration.contract : nil
        if clients[client].key.account == cast.owner.account { return try membershipChange(sequence: sequence) }
        switch (client, sequence, code) {
        case (0, 0, let code?): (action, service, data, value) = (.uploadContract, .chain, code, 0)
        case (0, 1, let code?):
            let register = RegisterService(
                service: Self.service, codeHash: Digest(sha256: code), kind: "contract", validator: nil, initData: [])
            (action, service, data, value) = (.registerService, .chain, register.borsh, 20_000_000_000)
        default:
            switch chance.below(code == nil ? 2 : 4) {
            case 0:
                let recipient = chance.pick(cast.clientKeys)?.account ?? .zero
                (action, service, data) = (.transfer, .chain, Transfer(recipient: recipient).borsh)
                value = UInt128(chance.below(1_000_000))
            case 1:
                (action, service) = (.commitmentTask, ServiceId(unchecked: Array("job".utf8)))
                (data, value) = (chance.bytes(chance.below(200)), 0)
            case 2:
                (action, service, value) = (ActionId(256), Self.service, 0)
                data = UInt64(chance.below(100)).borsh
            default:
                (action, service, value) = (ActionId(258), Self.service, 0)
                data = UInt64(chance.below(100)).borsh + chance.among(0...6_000).borsh
            }
        }
        let transaction = try Transaction(
            sender: clients[client].key.account, sequence: sequence,
            validUntil: Time(Cast.genesisTime.value + 1_800_000), gasLimit: 5_000_000, value: value,
            serviceId: service, actionId: action, data: data)
        return try clients[client].key.sign(transaction, genesis: cast.genesisHash)
    }

    /// The owner registers and unregisters candidates and resumes whoever was suspended. It does not look before: what
    /// is not possible fails with a receipt.
    private func membershipChange(sequence: UInt64) throws -> SignedTransaction {
        count(.membership)
        if let step = governance() {
            return try ownersTransaction(sequence, step.action, step.post, data: step.data)
        }
        let candidate = chance.pick(Array(cast.candidates)) ?? 0
        let key = cast.keys[candidate]
        switch chance.below(4) {
        case 0, 1:
            let consent = RegisterMasternode.Consent(owner: cast.owner.account, beaconTip: cast.beacons[candidate].tip)
            let signature = try key.sign(
                message: SigningDomain.registerMasternode.message(genesis: cast.genesisHash, body: consent))
            let register = RegisterMasternode(
                name: "m\(candidate)", consensusKey: key.publicKey, beaconTip: cast.beacons[candidate].tip,
                consent: signature)
            return try ownersTransaction(
                sequence, .registerMasternode, data: register.borsh, value: UInt128(cast.genesis.parameters.collateral))
        case 2:
            return try ownersTransaction(
                sequence, .unregisterMasternode, data: MasternodeReference(consensusKey: key.publicKey).borsh)
        default:
            let anybody = cast.keys[chance.below(cast.keys.count)]
            return try ownersTransaction(
                sequence, .resumeMasternode, data: MasternodeReference(consensusKey: anybody.publicKey).borsh)
        }
    }

    private func ownersTransaction(
        _ sequence: UInt64, _ action: ActionId, _ post: PostId = .none, data: [UInt8], value: UInt128 = 0
    ) throws -> SignedTransaction {
        let transaction = try Transaction(
            sender: cast.owner.account, sequence: sequence, validUntil: Time(Cast.genesisTime.value + 1_800_000),
            gasLimit: 5_000_000, value: value, serviceId: .chain, postId: post, actionId: action, data: data)
        return try cast.owner.sign(transaction, genesis: cast.genesisHash)
    }

    private func submit(_ signed: SignedTransaction) {
        let reachable = (isHealed ? survivors : nodes.indices.filter { nodes[$0].isHonest }).filter {
            nodes[$0].machine != nil && nodes[$0].pausedUntil <= now
        }
        guard let node = chance.pick(reachable), let machine = nodes[node].machine else { return }
        let (submission, outputs) = machine.submit(signed, at: nodes[node].clock(now))
        charge(node, for: nil, outputs)
        log("\(name(node)) is sent \(signed.transaction.actionId) \(signed.transaction.sequence): \(submission)")
        hash.mix(now << 8 ^ UInt64(node) ^ 0xC11E << 48)
        if case .failed(let reason) = submission, !nodes[node].disk.store.isFailing {
            fail("\(name(node)) can't take a transaction: \(reason)")
        }
        perform(outputs, node)
    }

    /// Some honest node told that these are final.
    func noteFinal(_ ids: [TransactionId], at height: Height) {
        guard !ids.isEmpty else { return }
        for client in clients.indices {
            let before = clients[client].waiting.count
            clients[client].waiting.removeAll { ids.contains($0.id) }
            guard clients[client].waiting.count < before else { continue }
            clients[client].finalCount += before - clients[client].waiting.count
            clients[client].highest = max(clients[client].highest, height)
        }
    }

    /// What can't be included now or ever: gaps, two of one sequence, wrong signatures, no such service, expired.
    func annoy() {
        guard !isHealed || now < healedAt + 5_000 else { return }
        queue.add(.nuisance, at: now + chance.among(800...5_000))
        count(.nuisance)
        let key = cast.nuisance
        let kind = chance.below(5)
        let ahead: UInt64 = kind == 0 ? chance.among(1...70) : 0
        guard
            let transaction = try? Transaction(
                sender: key.account, sequence: nuisanceSequence + ahead,
                validUntil: Time(Cast.genesisTime.value + 10_000 + now + (kind == 4 ? 300 : 20_000)),
                gasLimit: 2_000_000, serviceId: ServiceId(unchecked: Array("nobody's".utf8)),
                actionId: kind == 3 ? ActionId(300) : .applicationTask, data: chance.bytes(8)),
            var signed = try? key.sign(transaction, genesis: cast.genesisHash)
        else { return }
        if kind == 2, let wrong = try? cast.keys[0].sign(message: [1]) {
            signed = SignedTransaction(transaction: transaction, authorization: .ed25519(wrong))
        }
        if chance.happens(50) { nuisanceSequence += 1 }
        submit(signed)
        if kind == 1,
            let other = try? Transaction(
                sender: key.account, sequence: transaction.sequence, validUntil: transaction.validUntil,
                gasLimit: 2_000_000, serviceId: transaction.serviceId, actionId: .applicationTask, data: [1]),
            let conflicting = try? key.sign(other, genesis: cast.genesisHash)
        {
            submit(conflicting)
        }
    }
}
