/// Connections that others make. A TLS handshake costs more than all else that somebody who has said nothing can ask for,
/// so it is rationed: of each address, of all strangers together, and apart from these of the addresses at which
/// masternodes are, so that however many strangers come, a masternode that comes back finds a place.
package struct HandshakeRations {
    private var strangers: TokenBucket
    private var known: TokenBucket
    private var addresses: AddressBuckets

    package init(limits: PeerLimits, now: UInt64) {
        strangers = TokenBucket(rate: limits.handshakesPerSecond, burst: limits.handshakeBurst, now: now)
        known = TokenBucket(rate: limits.knownHandshakesPerSecond, burst: limits.handshakeBurst, now: now)
        addresses = AddressBuckets(rate: limits.handshakesPerSecondAndAddress, burst: limits.handshakeBurst / 2)
    }

    /// Takes one handshake if it is there.
    ///
    /// - Parameters:
    ///   - network: who comes: an address, or the IPv6 network that one host has.
    ///   - site: the IPv6 site of which it is a part.
    ///   - isKnown: whether a masternode is at its address: then its neighbours' handshakes are not its own.
    package mutating func take(_ network: String?, of site: String?, isKnown: Bool, now: UInt64) -> Bool {
        guard addresses.takeIfThere(isKnown ? network : site, now: now) else { return false }
        return (isKnown && known.takeIfThere(now: now)) || strangers.takeIfThere(now: now)
    }
}
