import Encoding
import Primitives

extension ChainClient {
    /// Values of the state with their proofs, as a node gives them: the bytes of a state extract, which `Audit` checks.
    /// Nil when the chain has no block yet.
    public func stateExtract(of keys: [StateKey]) async throws -> [UInt8]? {
        var encoder = BorshEncoder(reserving: 64 * keys.count)
        encoder.integer(UInt32(clamping: keys.count))
        for key in keys { encoder.variable(key.bytes) }
        let request = call("/v1/proofs", method: "POST", body: encoder.bytes)
        let reply = try await send(request)
        if reply.status == 404 { return nil }
        guard reply.status == 200 else { throw refusal(reply, request) }
        return Array(reply.body.readableBytesView)
    }

    /// Asks another node next time: what the last one said did not hold.
    public func distrustNode() { avoid(preferredNode) }
}
