import Cryptography
import NIOCore
import Primitives
import ProgramSupport
import Synchronization

/// What other threads see of a connection: its queue of outgoing messages, and commands to its handler.
final class PeerLink: Resumable {
    typealias Ending = PeerDialogue.Ending

    let channel: any Channel
    let dialled: Bool
    /// Whom this node meant to reach.
    let expectedKey: PublicKey?

    private struct State {
        var outbound: OutboundQueue
        /// A drain is under way or on its way: offers need not ask for one.
        var draining = false
        var ending: Ending?
    }

    private let state: Mutex<State>

    init(channel: any Channel, dialled: Bool, expectedKey: PublicKey?, limits: PeerLimits) {
        self.channel = channel
        self.dialled = dialled
        self.expectedKey = expectedKey
        let holder = channel.remoteAddress?.ipAddress.flatMap { AddressHolder($0) }
        (network, site) = (holder?.name, holder?.site)
        state = Mutex(State(outbound: OutboundQueue(limits: limits)))
    }

    var remoteAddress: String { channel.remoteAddress?.description ?? "unknown address" }

    var remoteIP: String? { channel.remoteAddress?.ipAddress }

    /// The part of the remote address that stands for its holder; nil where there is none.
    let network: String?
    /// The same of all that one holder may have many of.
    let site: String?

    /// Bytes that wait for the peer to take them.
    var waitingBytes: Int { state.withLock { $0.outbound.bytes } }

    /// Queues a message; never waits.
    ///
    /// - Parameter undrained: where the connection goes that is to be told of the message by ``drain(_:)``.
    func offer(_ frame: OutboundFrame, _ priority: PeerPriority, _ undrained: inout [PeerLink]) -> OutboundQueue.Offer {
        let (offer, wake) = state.withLock { state in
            let offer = state.outbound.offer(frame, priority)
            defer { state.draining = true }
            return (offer, !state.draining)
        }
        if offer == .overflow { disconnect(.outboundFull) } else if wake { undrained.append(self) }
        return offer
    }

    /// Has these write what waits: one turn of an event loop for all of them.
    static func drain(_ links: [PeerLink]) {
        var rest = links[...]
        while let first = rest.first {
            let loop = first.channel.eventLoop
            let mine = rest.filter { $0.channel.eventLoop === loop }
            if mine.count == rest.count { rest = [] } else { rest.removeAll { $0.channel.eventLoop === loop } }
            loop.execute { for link in mine { link.channel.triggerUserOutboundEvent(PeerCommand.drain, promise: nil) } }
        }
    }

    /// The next message to write; nil, and the next offer asks for a drain again, when there is none.
    func takeNext() -> OutboundFrame? {
        state.withLock { state in
            let frame = state.outbound.next()
            if frame == nil { state.draining = false }
            return frame
        }
    }

    /// Says goodbye with the reason and closes.
    func disconnect(_ reason: DisconnectReason) {
        command(.disconnect(reason))
    }

    /// Asks the peer which masternodes' addresses it knows.
    func askForAddresses() {
        command(.askForAddresses)
    }

    /// The consumer took enough of the peer's messages.
    func resume() {
        command(.resume)
    }

    /// Always in a later turn of the event loop: on the loop itself NIO would run it at once, under our callers' locks.
    private func command(_ command: PeerCommand) {
        channel.eventLoop.execute { [channel] in channel.triggerUserOutboundEvent(command, promise: nil) }
    }

    var ending: Ending? {
        get { state.withLock { $0.ending } }
        set { state.withLock { $0.ending = newValue } }
    }
}

/// What a connection's handler is told from other threads.
enum PeerCommand: Sendable {
    case drain
    case disconnect(DisconnectReason)
    case resume
    case askForAddresses
}
