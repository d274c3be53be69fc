import Cryptography
import Encoding
import Foundation
import Ledger
import NIOCore
import NIOPosix
import NodeCore
import PeerNetwork
import Primitives

/// What a stranger can try for nothing.
enum Attack: String, CaseIterable, Sendable {
    /// None: what the others are compared with.
    case calm
    /// Connects, sends 22 MB, closes and comes back under a fresh key.
    case reconnect
    /// Frames of 512 transactions with random signatures in a funded sender's name, over eight connections to each node.
    case signatures
    /// Bodies of 7 MB that nobody asked for.
    case bodies
    /// 140 connections to three nodes that never say anything, while the fourth is restarted.
    case idle
    /// Heads that no chain has, and requests for blocks, again and again under new names, while a node is restarted.
    case heads

    var restarts: Bool { self == .idle || self == .heads }
}

/// Strangers at work until the time is over.
struct Attackers {
    let attack: Attack
    let genesis: Genesis
    /// A funded account, in whose name they sign.
    let victim: Account
    let ports: [Int]
    /// How many transactions a second the honest client sends from that account.
    let victimsRate: Double
    private let start = ContinuousClock.now

    init(attack: Attack, genesis: Genesis, victim: Account, victimsRate: Double, ports: [Int]) {
        self.attack = attack
        self.genesis = genesis
        self.victim = victim
        self.victimsRate = victimsRate
        self.ports = ports
    }

    func run(seconds: Int) async {
        let until = ContinuousClock.now + .seconds(seconds)
        await withTaskGroup(of: Void.self) { group in
            switch attack {
            case .calm: break
            case .reconnect, .bodies, .heads:
                for port in ports { group.addTask { await assault(port, until) } }
            case .signatures:
                for port in ports { for _ in 0..<8 { group.addTask { await assault(port, until) } } }
            case .idle:
                for port in ports.dropLast() { for _ in 0..<140 { group.addTask { await idle(port, until) } } }
            }
        }
    }

    private func assault(_ port: Int, _ until: ContinuousClock.Instant) async {
        while ContinuousClock.now < until {
            do {
                let stranger = try await Stranger(port: port, genesis: genesis.hash)
                await speak(stranger, until)
                await stranger.close()
            } catch {
                // Refused or banned: at once again, as a stranger would.
                try? await Task.sleep(for: .milliseconds(50))
            }
        }
    }

    private func speak(_ stranger: Stranger, _ until: ContinuousClock.Instant) async {
        switch attack {
        case .calm, .idle: break
        case .reconnect:
            // Well-formed, in a sender's name, and signed by nobody.
            let frame = flood(data: 1_900)
            for _ in 0..<22 where ContinuousClock.now < until { await stranger.send(frame) }
        case .signatures:
            while ContinuousClock.now < until, await stranger.send(flood(data: 10)) {}
        case .bodies:
            let header = Header(
                height: Height(1_000_000), view: View(1), epoch: .zero, parent: .zero, proposer: 0, time: Time(1),
                transactionsRoot: .zero, stateRoot: .zero, receiptsRoot: .zero, gasUsed: 0, reveal: .zero, randomness: .zero,
                activeSetHash: .zero, nextSetHash: .zero, parentCertificateHash: .zero)
            let transaction = transaction(sequence: 0, data: 60_000)
            let block = Block(
                header: header, parentCertificate: .genesis, transactions: Array(repeating: transaction, count: 115))
            let frame = NodeMessage.body(block)
            while ContinuousClock.now < until, await stranger.send(frame) {}
        case .heads:
            await stranger.send(.head(height: Height(1 << 60), digest: .zero))
            await stranger.send(.head(height: Height(8_000), digest: .zero))
            for _ in 0..<50 { await stranger.send(.wantBlocks(from: Height(1), count: 64)) }
            try? await Task.sleep(for: .milliseconds(500))
        }
    }

    private func transaction(sequence: UInt64, data: Int) -> SignedTransaction {
        var random: [UInt8] = []
        // By eight: a stranger who asks for each byte would be slowed more than the nodes are.
        for _ in 0..<8 { withUnsafeBytes(of: UInt64.random(in: 0 ... .max)) { random += $0 } }
        // These always make a transaction and a signature: lengths and numbers are within their bounds.
        guard let signature = Signature(random),
            let transaction = try? Transaction(
                sender: victim, sequence: sequence,
                validUntil: Time(UInt64(Date().timeIntervalSince1970 * 1_000) + 500_000),
                // What is asked for least, or nothing would look at the signature.
                gasLimit: genesis.parameters.intrinsicGas(dataBytes: data),
                serviceId: ServiceId(unchecked: Array("attack".utf8)), actionId: .applicationTask,
                data: [UInt8](repeating: 2, count: data))
        else { fatalError("a transaction of an attack could not be made") }
        return SignedTransaction(transaction: transaction, authorization: .ed25519(signature))
    }

    /// Sequences that the account may use next, so that nothing cheaper than the signature shows what they are.
    private func flood(data: Int) -> NodeMessage {
        let seconds = (ContinuousClock.now - start).components.seconds
        let next = UInt64(max(0, Double(seconds) * victimsRate)) + 8
        return .transactions((0..<UInt64(NodeLimits.gossipTransactions)).map { transaction(sequence: next + $0 % 40, data: data) })
    }

    /// Connects and says nothing; again whenever it is thrown out.
    private func idle(_ port: Int, _ until: ContinuousClock.Instant) async {
        while ContinuousClock.now < until {
            let channel = try? await ClientBootstrap(group: Stranger.group).connectTimeout(.seconds(2))
                .connect(host: "127.0.0.1", port: port).get()
            if let channel {
                let left = until - ContinuousClock.now
                let timer = Task {
                    try? await Task.sleep(for: left)
                    try? await channel.close().get()
                }
                try? await channel.closeFuture.get()
                timer.cancel()
            }
            try? await Task.sleep(for: .milliseconds(300))
        }
    }
}

/// One connection of somebody without a key, over TLS, under a fresh name.
final class Stranger: Sendable {
    static let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    private let channel: any Channel

    /// Throws away what comes: strangers don't listen.
    private final class Deaf: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }

    init(port: Int, genesis: Digest) async throws {
        let tls = try TLSIdentity.generate()
        channel = try await ClientBootstrap(group: Self.group).connectTimeout(.seconds(2)).channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(tls.handler(dialling: true, peerKey: TLSKeyBox()))
                try channel.pipeline.syncOperations.addHandler(Deaf())
            }
        }.connect(host: "127.0.0.1", port: port).get()
        let hello = try Hello(
            genesisHash: genesis, listenAddress: "", agent: "stranger", tlsKey: tls.publicKey, endorser: nil)
        guard await write(FrameKind.hello, hello.borsh), await write(FrameKind.welcome, []) else { throw Gone() }
    }

    struct Gone: Error {}

    @discardableResult
    func send(_ message: NodeMessage) async -> Bool { await write(message.kind.rawValue, message.payload) }

    private func write(_ kind: UInt8, _ payload: [UInt8]) async -> Bool {
        let bytes = UInt32(payload.count + 1).borsh + [kind] + payload
        do {
            try await channel.writeAndFlush(ByteBuffer(bytes: bytes)).get()
            return true
        } catch { return false }
    }

    func close() async { try? await channel.close().get() }
}
