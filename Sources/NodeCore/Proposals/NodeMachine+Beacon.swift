import Consensus
import Cryptography
import Encoding
import Ledger
import Primitives

/// The hash chains of this masternode: the one in force, and the one that follows.
struct BeaconChains {
    private var chains: [UInt32: BeaconChain]
    /// Asked of the host.
    private var asked: Set<UInt32> = []
    /// Tick of the last attempt to renew.
    var renewedAt: UInt64?

    init(_ chains: [UInt32: BeaconChain]) { self.chains = chains }

    mutating func add(_ generation: UInt32, _ chain: BeaconChain) {
        chains[generation] = chain
        asked.remove(generation)
    }

    func tip(of generation: UInt32) -> Digest? { chains[generation]?.tip }

    mutating func reveal(_ generation: UInt32, under link: Digest) -> Digest? { chains[generation]?.reveal(under: link) }

    mutating func remaining(_ generation: UInt32, under link: Digest) -> Int? {
        chains[generation]?.remaining(under: link)
    }

    /// Whether the host has to be asked for a chain: once.
    mutating func asks(for generation: UInt32) -> Bool {
        chains[generation] == nil && asked.insert(generation).inserted
    }

    mutating func forget(below generation: UInt32) { chains = chains.filter { $0.key >= generation } }
}

extension NodeMachine {
    /// The preimage that a block on this parent shows, of a chain that has been made (``awaitsBeacon(of:on:)``).
    func reveal(under link: Digest, of key: PublicKey, on parent: ExecutedBlock) -> Digest? {
        guard let generation = generation(of: key, in: parent) else { return nil }
        if let reveal = beacons.reveal(generation, under: link) { return reveal }
        if beacons.tip(of: generation) != nil {
            outputs.append(
                .note(.observing("its hash chain has no preimage for the registered link: is the beacon key another one?")))
        }
        return nil
    }

    /// Whether the host is still to make the chain that a block on this parent shows a link of; asks it to.
    func awaitsBeacon(of key: PublicKey, on parent: ExecutedBlock) -> Bool {
        guard let generation = generation(of: key, in: parent) else { return true }
        guard beacons.tip(of: generation) == nil else { return false }
        if beacons.asks(for: generation) { outputs.append(.makeBeacon(generation: generation)) }
        return true
    }

    /// Of the chain in force; nil where the store can't be read, which halts the node.
    private func generation(of key: PublicKey, in block: ExecutedBlock) -> UInt32? {
        do { return try renewal(of: key, in: block)?.currentGeneration ?? 0 } catch {
            halt("the state could not be read: \(error)")
            return nil
        }
    }

    private func renewal(of key: PublicKey, in block: ExecutedBlock) throws -> BeaconRenewal? {
        try block.layer.value(.beaconRenewal(key)).map { try BeaconRenewal(borsh: $0) }
    }

    /// Sends a new tip when the chain in force nears its end, and again while no block holds it.
    func renewBeacon(_ clock: NodeClock) {
        guard let identity, me != nil else { return }
        let found: [UInt8]?
        let known: BeaconRenewal?
        do {
            found = try head.layer.value(.beacon(identity.key))
            known = try renewal(of: identity.key, in: head)
        } catch { return halt("the state could not be read: \(error)") }
        guard let link = found.flatMap({ Digest($0) }) else { return }
        let generation = known?.currentGeneration ?? 0
        beacons.forget(below: generation)
        if let known, !known.isInForce {
            // On its way: made before it is needed.
            if beacons.asks(for: known.generation) { outputs.append(.makeBeacon(generation: known.generation)) }
            return
        }
        guard let remaining = beacons.remaining(generation, under: link), remaining < rules.beaconReserve else { return }
        let next = generation &+ 1
        guard let tip = beacons.tip(of: next) else {
            if beacons.asks(for: next) { outputs.append(.makeBeacon(generation: next)) }
            return
        }
        if let last = beacons.renewedAt, ticks < last &+ Self.renewalTicks { return }
        beacons.renewedAt = ticks
        let data = RenewBeacon(generation: next, tip: tip).borsh
        if sendAsMasternode(.renewBeacon, data: data, gas: epoch.parameters.gasToRenewBeacon(dataBytes: data.count), identity, clock)
        {
            outputs.append(.note(.renewsBeacon(remaining: remaining)))
        }
    }

    private static let renewalTicks: UInt64 = 60

    /// Sends a transaction of the consensus key's own account.
    /// - Returns: whether the pool took it.
    func sendAsMasternode(
        _ action: ActionId, data: [UInt8], gas: UInt64, _ identity: NodeIdentity, _ clock: NodeClock
    ) -> Bool {
        let account = Account(identity.key)
        guard mempool.waiting(of: account).isEmpty else { return false }
        let found: AccountRecord?
        do { found = try head.layer.value(.account(account)).map { try AccountRecord(borsh: $0) } } catch {
            halt("the state could not be read: \(error)")
            return false
        }
        guard let record = found,
            let transaction = try? Transaction(
                sender: account, sequence: record.sequence,
                validUntil: max(head.header.time, clock.wall).advanced(by: epoch.parameters.validityMs / 2), gasLimit: gas,
                serviceId: .chain, actionId: action, data: data),
            let signature = try? identity.signer.sign(
                message: SigningDomain.transaction.message(genesis: genesisHash, body: transaction))
        else { return false }
        let signed = SignedTransaction(transaction: transaction, authorization: .ed25519(signature))
        guard case .taken = admit(signed, clock) else { return false }
        outputs.append(.broadcast(.transactions([signed]), to: .masternodes))
        return true
    }
}
