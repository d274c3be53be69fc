import Cryptography
import Encoding
import Primitives

/// Where a masternode said that it listens, in its own words: what its Hello carried. Nobody else can make one.
package struct EndorsedAddress: BorshCodable, Hashable, Sendable {
    package let consensusKey: PublicKey
    /// Of the process that said so; later ones of the same masternode have others.
    package let tlsKey: PublicKey
    /// `HOST:PORT`
    package let listenAddress: String
    package let signature: Signature

    package init(consensusKey: PublicKey, tlsKey: PublicKey, listenAddress: String, signature: Signature) {
        self.consensusKey = consensusKey
        self.tlsKey = tlsKey
        self.listenAddress = listenAddress
        self.signature = signature
    }

    /// Bytes of the shortest one.
    package static let smallest = 32 + 32 + 4 + 64

    package func encode(to encoder: inout BorshEncoder) {
        encoder.value(consensusKey)
        encoder.value(tlsKey)
        encoder.string(listenAddress)
        encoder.value(signature)
    }

    package init(from decoder: inout BorshDecoder) throws(BorshError) {
        consensusKey = try decoder.value()
        tlsKey = try decoder.value()
        listenAddress = try decoder.string(limit: Hello.longestAddress)
        signature = try decoder.value()
    }

    func isGenuine(genesis: Digest) -> Bool {
        let body = TLSEndorsement(tlsKey: tlsKey, listenAddress: listenAddress)
        return consensusKey.isValid(signature, over: body, domain: .tlsEndorsement, genesis: genesis)
    }

    /// Nil for what can't be dialled: another form, unprintable characters, or "any address", which would lead to the
    /// dialler itself.
    var target: PeerAddress? {
        guard PrintableText.clean(listenAddress, limit: Hello.longestAddress) == listenAddress,
            let address = PeerAddress(listenAddress, consensusKey: consensusKey), !address.isUnspecified
        else { return nil }
        return address
    }
}

/// The answer to a request for addresses.
package struct AddressAnswer: BorshCodable, Equatable, Sendable {
    /// Addresses in one answer.
    package static let longest = 128

    package let addresses: [EndorsedAddress]

    package init(_ addresses: [EndorsedAddress]) { self.addresses = Array(addresses.prefix(Self.longest)) }

    package func encode(to encoder: inout BorshEncoder) { encoder.array(addresses) }

    package init(from decoder: inout BorshDecoder) throws(BorshError) {
        addresses = try decoder.array(limit: Self.longest, smallestElement: EndorsedAddress.smallest)
    }
}
