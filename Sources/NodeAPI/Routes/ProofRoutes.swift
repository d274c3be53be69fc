import APIModel
import Encoding
import Hummingbird
import Primitives

extension Routes {
    /// Keys that one request may name, and the bytes of one: more than any client of the product needs.
    static let mostProvenKeys = 160
    static let longestProvenKey = 256

    static let proofs: [Route] = [
        Route(
            method: .post, path: "/v1/proofs", weight: .light,
            operation: Operation(
                "getProofs",
                "Values of the state, each with its proof against the newest certified root, and what certifies that root "
                    + "from the genesis on. The body is a Borsh list of up to \(mostProvenKeys) keys (byte strings of up to "
                    + "\(longestProvenKey) bytes; see Docs/protocol.md): raw, or base64 in JSON as `input`.",
                .bytes("Borsh of a state extract (Docs/protocol.md)"), body: "Query", errors: [400, 404, 413, 429, 503])
        ) { input, node in
            let bytes = try await input.bytes(
                limit: 4 + mostProvenKeys * (4 + longestProvenKey), timeout: node.configuration.bodyTimeout,
                from: QueryDocument.self, \.input)
            let keys: [StateKey]
            do { keys = try ProvenKeys(borsh: bytes).keys } catch {
                throw APIError(.badRequest, "malformed", "the body is not a list of keys: \(error)")
            }
            let extract = try await node.heavily(for: input.context.holder) {
                try await node.backend.stateExtract(of: keys)
            }
            guard let extract else {
                throw APIError.unknown("block", "there is no certified state yet")
            }
            return .bytes(extract)
        }
    ]

    private struct ProvenKeys: BorshDecodable {
        var keys: [StateKey] = []

        init(from decoder: inout BorshDecoder) throws(BorshError) {
            let count: UInt32 = try decoder.integer()
            guard count <= UInt32(Routes.mostProvenKeys) else {
                throw decoder.failure(.notCanonical("more than \(Routes.mostProvenKeys) keys"))
            }
            for _ in 0..<count { keys.append(StateKey(try decoder.variable(limit: Routes.longestProvenKey))) }
        }
    }
}
