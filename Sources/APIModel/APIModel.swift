import Primitives

/// # APIModel
///
/// The JSON documents of the REST API, one `Codable` type for each, used by the server (`NodeAPI`) and the client
/// (`ChainClient`) alike, so that the two cannot drift apart. `/openapi.json` describes the same documents for others.
///
/// The module promises
/// - hashes and keys are lower-case hexadecimal, accounts Bech32m, `data` base64, and every number that can pass
///   2^53 (u64 and larger) a decimal string;
/// - decoding is strict: a text that is not the canonical form of the value is refused with the reason;
/// - names of services, posts and topics, which are bytes, are shown as text where they are printable UTF-8 and as
///   `0x` with hexadecimal digits otherwise, and both forms read back to the same bytes.
public enum APIModel {
    /// Prefix of every versioned path.
    public static let versionPath = "/v1"
    /// Where a node serves its API unless told otherwise.
    public static let defaultPort = DefaultPort.api
}
