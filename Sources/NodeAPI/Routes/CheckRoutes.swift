import APIModel
import Cryptography
import Encoding
import Hummingbird
import Primitives

/// What a client checks for itself, so that it need not believe a node.
extension Routes {
    static let checks: [Route] = [
        Route(
            method: .get, path: "/v1/blocks/{height}/raw", weight: .expensive,
            operation: Operation(
                "getRawBlock", "A finalised block as its bytes: its header hashes to the block's digest",
                .bytes("Borsh of a Block (Docs/protocol.md)"), parameters: [.height], errors: [400, 404, 410, 429, 503])
        ) { input, node in
            let height = try await resolve(input, node)
            guard let block = try await node.backend.block(at: height) else { throw unknownBlock(height, node) }
            return .bytes(block.block.block.borsh)
        },
        Route(
            method: .get, path: "/v1/blocks/{height}/finality", weight: .expensive,
            operation: Operation(
                "getFinality",
                "What shows that a block is final: a Finalization of it, or of a descendant with the headers that lead there",
                .json("Finality"), parameters: [.height], errors: [400, 404, 410, 429, 503])
        ) { input, node in
            let height = try await resolve(input, node)
            var headers: [[UInt8]] = []
            var next = height
            while headers.count < FinalityDocument.mostHeaders {
                guard let block = try await node.backend.block(at: next) else { throw unknownBlock(next, node) }
                headers.append(block.block.block.header.borsh)
                if let finalization = block.block.finalization {
                    return .document(
                        FinalityDocument(height: height, headers: headers, finalization: finalization.borsh))
                }
                next = next.next
            }
            throw APIError.unknown(
                "finality", "no Finalization within \(FinalityDocument.mostHeaders) blocks after \(height)")
        },
        Route(
            method: .get, path: "/v1/state/{key}", weight: .expensive,
            operation: Operation(
                "getStateProof",
                "A value of the state, or that there is none, proven against the state root of the newest final header",
                .json("StateProof"),
                parameters: [.path("key", "StateKey", "the state key's bytes (Docs/protocol.md, section 7)")],
                errors: [400, 404, 429, 503])
        ) { input, node in
            guard let found = try await node.backend.stateProof(try input.stateKey()) else {
                throw APIError.unknown("state", "no block is final yet, so that no header certifies the state")
            }
            return .document(
                StateProofDocument(
                    header: found.header.borsh, finalization: found.finalization.borsh, key: found.key.bytes,
                    value: found.value, proof: found.proof))
        },
    ]

    static func resolve(_ input: RequestInput, _ node: RouteServices) async throws -> Height {
        if let height = try input.height() { return height }
        return await node.backend.status().headHeight
    }

    static func unknownBlock(_ height: Height, _ node: RouteServices) -> APIError {
        if height == .zero {
            return .unknown("block", "height 0 is the genesis, which has no block: see /v1/genesis")
        }
        return .unknown("block", "there is no finalised block \(height) here; the newest is \(node.heads.head)")
    }
}
