import Cryptography
import NIOCore
import NIOPosix
import Primitives
import Synchronization

/// Connections that this node makes: those of the configuration, and those with the masternodes of its address book.
extension PeerNetwork {
    /// Connects to the target whenever there is no connection with whoever it is, until the task is cancelled.
    func keepConnected(_ target: PeerAddress) async {
        let limits = hub.limits
        var backoff = Backoff(first: limits.firstReconnectMs, last: limits.lastReconnectMs)
        var known = target.consensusKey.map { PeerId($0) }
        // Both sides dial: the one whose connection would stay goes first, and mostly spares the other one its own.
        if let own = configuration.endorser?.consensusKey, let known, known.key < own { await backoff.pause() }
        while !Task.isCancelled {
            if let known, hub.isConnected(known) {
                backoff.reset()
                await backoff.pause()
                continue
            }
            if hub.isBanned(known, at: target) {
                await backoff.pause()
                continue
            }
            switch await connect(target) {
            case .success(let ending):
                if let identity = ending?.identity { known = identity.id }
                if ending?.wasEstablished == true { backoff.reset() }
                if ending?.reason == .ownConnection { return }
            case .failure(let reason):
                hub.logger.debug("cannot reach \(target): \(reason)")
            }
            await backoff.pause()
        }
    }

    /// Connects and waits for the end of the connection.
    private func connect(_ target: PeerAddress) async -> Result<PeerLink.Ending?, DisconnectReason> {
        let made = Mutex<PeerLink?>(nil)
        let hub = hub
        do {
            let channel = try await ClientBootstrap(group: group)
                .connectTimeout(.milliseconds(hub.limits.handshakeMs))
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelOption(.writeBufferWaterMark, value: Self.waterMark)
                .channelInitializer { channel in
                    let link = PeerLink(
                        channel: channel, dialled: true, expectedKey: target.consensusKey, limits: hub.limits)
                    made.withLock { $0 = link }
                    return Self.prepare(channel, link: link, hub: hub)
                }
                .connect(host: target.host, port: target.port).get()
            try? await channel.closeFuture.get()
            return .success(made.withLock { $0?.ending })
        } catch {
            return .failure(.connectionLost(Self.reason(error)))
        }
    }

    /// Dials masternodes whose addresses are known, and again, until the task is cancelled.
    func keepMesh() async {
        let wait = Duration.milliseconds(min(max(10, hub.limits.firstReconnectMs), 1_000))
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled {
                for target in hub.dueDials() { group.addTask { await self.dial(target) } }
                try? await Task.sleep(for: wait)
            }
        }
    }

    private func dial(_ target: PeerAddress) async {
        switch await connect(target) {
        case .success(let ending): hub.ended(target, wasEstablished: ending?.wasEstablished ?? false)
        case .failure(let reason):
            hub.logger.debug("cannot reach \(target): \(reason)")
            hub.ended(target, wasEstablished: false)
        }
    }

    /// Asks for addresses in rounds, until the task is cancelled.
    func exchangeAddresses() async {
        let wait = max(10, hub.limits.addressRoundMs)
        while !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(wait / 2 + Int64.random(in: 0...wait)))
            if !Task.isCancelled { hub.askForAddresses() }
        }
    }
}
