import Encoding

/// What one connection has come to, and what is to be done about each frame that comes: the decisions of a peer's
/// protocol, without channel, clock or other connections. ``PeerHandler`` carries them out.
package struct PeerDialogue {
    package enum Phase: Equatable {
        /// Hello was sent; the peer's has not come.
        case greeting
        /// The peer's Hello was accepted; whether it accepts ours is not known.
        case welcoming(PeerIdentity)
        case established(PeerIdentity)
        case closing
    }

    package enum Step: Equatable {
        /// The peer says who it is: to be checked, then ``welcomed(_:)`` or an end.
        case greet(Hello)
        /// Both sides accept each other: to be entered, then ``entered()`` or an end.
        case establish(PeerIdentity)
        case deliver(Frame, PeerRank, PeerIdentity)
        case pong([UInt8])
        case tellAddresses(PeerIdentity)
        case learn(AddressAnswer, PeerIdentity)
        /// An offence that does not end the connection by itself.
        case blame(PeerOffence, PeerIdentity)
        /// Say why, let the peer close.
        case disconnect(DisconnectReason)
        /// The peer said why.
        case close(DisconnectReason)
        case nothing
    }

    /// How a connection ended.
    package struct Ending: Equatable, Sendable {
        package let identity: PeerIdentity?
        /// Whether it was admitted before.
        package let wasEstablished: Bool
        package let reason: DisconnectReason
    }

    package private(set) var phase = Phase.greeting
    /// A request for addresses is out.
    private var awaitsAddresses = false

    package init() {}

    /// Bytes after the length that a frame of the peer's may have now. What belongs to the application has limits of its
    /// own, which the gate knows; the rest is small but for addresses.
    package var frameLimit: Int {
        if case .established = phase { FrameLimit.established } else { FrameLimit.handshake }
    }

    /// Asked when kind and length of a frame are known.
    package func judge(kind: UInt8, length: Int, gate: any FrameGate) -> FrameJudgement {
        guard case .established(let identity) = phase else { return .take(.urgent) }
        if kind >= FrameKind.firstApplication { return gate.judge(kind: kind, length: length, from: identity) }
        let most = kind == FrameKind.addresses && awaitsAddresses ? FrameLimit.addresses : FrameLimit.handshake
        return length <= most ? .take(.urgent) : .refuse(.excessiveRequests)
    }

    package mutating func received(_ frame: Frame, _ rank: PeerRank) -> Step {
        if case .closing = phase { return .nothing }
        if frame.kind == FrameKind.goodbye { return said(frame) }
        switch phase {
        case .closing: return .nothing
        case .greeting:
            guard frame.kind == FrameKind.hello else { return .disconnect(.malformed("frame kind \(frame.kind) before Hello")) }
            switch Hello.decode(frame.payload) {
            case .failure(let reason): return .disconnect(reason)
            case .success(let hello): return .greet(hello)
            }
        case .welcoming(let identity):
            guard frame.kind == FrameKind.welcome, frame.payload.isEmpty else {
                return .disconnect(.malformed("frame kind \(frame.kind) before Welcome"))
            }
            return .establish(identity)
        case .established(let identity): return established(frame, rank, identity)
        }
    }

    private mutating func established(_ frame: Frame, _ rank: PeerRank, _ identity: PeerIdentity) -> Step {
        switch frame.kind {
        case FrameKind.firstApplication...: return .deliver(frame, rank, identity)
        case FrameKind.ping where frame.payload.count == 8: return .pong(frame.payload)
        case FrameKind.pong where frame.payload.count == 8: return .nothing
        case FrameKind.wantAddresses where frame.payload.isEmpty: return .tellAddresses(identity)
        case FrameKind.addresses:
            // Nothing of an answer that nobody asked for is looked at.
            guard awaitsAddresses else { return .blame(.excessiveRequests, identity) }
            awaitsAddresses = false
            do { return .learn(try AddressAnswer(borsh: frame.payload), identity) } catch {
                return .disconnect(.malformed("addresses: \(error)"))
            }
        default: return .disconnect(.malformed("frame kind \(frame.kind)"))
        }
    }

    private func said(_ frame: Frame) -> Step {
        do {
            let goodbye = try Goodbye(borsh: frame.payload)
            return .close(.saidByPeer(code: goodbye.code, text: goodbye.text))
        } catch {
            return .close(.malformed("Goodbye: \(error)"))
        }
    }

    /// A frame whose payload was skipped.
    package func refused(_ offence: PeerOffence?) -> Step {
        guard case .established(let identity) = phase, let offence else { return .nothing }
        return .blame(offence, identity)
    }

    package mutating func welcomed(_ identity: PeerIdentity) {
        if case .greeting = phase { phase = .welcoming(identity) }
    }

    package mutating func entered() {
        if case .welcoming(let identity) = phase { phase = .established(identity) }
    }

    /// Whether to ask the peer for addresses: then its answer is awaited.
    package mutating func asksForAddresses() -> Bool {
        guard case .established = phase else { return false }
        awaitsAddresses = true
        return true
    }

    /// The connection takes no more part in anything.
    ///
    /// - Returns: what it had come to; nil when it had ended before.
    package mutating func end(_ reason: DisconnectReason) -> Ending? {
        defer { phase = .closing }
        switch phase {
        case .closing: return nil
        case .greeting: return Ending(identity: nil, wasEstablished: false, reason: reason)
        case .welcoming(let peer): return Ending(identity: peer, wasEstablished: false, reason: reason)
        case .established(let peer): return Ending(identity: peer, wasEstablished: true, reason: reason)
        }
    }
}
