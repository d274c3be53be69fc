/// # Cryptography
///
/// What the chain hashes, signs and seals with: SHA-256, Ed25519 under signing domains, HPKE (RFC 9180), Bech32m
/// (BIP 350), RFC 9162 Merkle logs, and an encrypted keystore. The primitives are swift-crypto's, but for the check of
/// signatures, which follows ZIP 215 and takes many at once (``SignatureBatch``); this module gives them the chain's
/// types and rules.
///
/// The module promises
/// - every signature is over `domain || genesisHash || borsh(body)`, so that none is ever valid elsewhere;
/// - every hash of a structure starts with a domain of its own;
/// - one Ed25519 rule holds wherever a signature is checked, alone or in a batch (``Ed25519Rule``);
/// - checks of outside values return `false`, `nil` or a typed error; none traps;
/// - private keys are never printed: their descriptions name the public half only.
public enum KeyLength {
    /// Bytes of a SHA-256 digest, an Ed25519 public key, an X25519 public key, and an account.
    public static let bytes = 32
}
