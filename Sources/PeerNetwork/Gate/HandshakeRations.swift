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
    ///   - site: who comes: an address, or all of an IPv6 site.
    ///   - isKnown: whether a masternode is at its address.
    package mutating func take(_ site: String?, isKnown: Bool, now: UInt64) -> Bool {
        guard addresses.takeIfThere(site, now: now) else { return false }
        return (isKnown && known.takeIfThere(now: now)) || strangers.takeIfThere(now: now)
    }
}
