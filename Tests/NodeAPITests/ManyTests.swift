import APIModel
import ChainClient
import Cryptography
import Encoding
import Foundation
import NodeAPI
import Primitives
import Testing

/// Many transactions in one request: each is taken or refused on its own, raw and in JSON.
@Suite(.timeLimit(.minutes(20))) struct ManyTests {
    private func list(_ transactions: [SignedTransaction]) -> [UInt8] {
        var encoder = BorshEncoder()
        encoder.array(transactions)
        return encoder.bytes
    }

    @Test func eachHasAnAnswerOfItsOwn() async throws {
        let node = try FakeNode()
        try await serving(node) { live in
            let genesis = node.genesisHash
            let many = [
                try SignedTransaction.record("a", sequence: 0, genesis: genesis),
                try SignedTransaction.record("forged", sequence: 1, genesis: Digest(sha256: [1])),
                try SignedTransaction.record("b", sequence: 1, genesis: genesis),
                try SignedTransaction.record("far", sequence: 1_000, genesis: genesis),
            ]
            let client = try live.client()
            let refused = try await client.submit(many)
            #expect(refused.map(\.index) == [1, 3])
            #expect(refused.map(\.error.code) == ["bad_signature", "sequence_too_far"])
            for taken in [many[0], many[2]] {
                #expect(try await client.transaction(taken.id(genesis: genesis))?.inclusion != nil)
            }
            #expect(try await client.transaction(many[3].id(genesis: genesis)) == nil)
            try await client.shutdown()
        }
    }

    @Test func inJSON() async throws {
        let node = try FakeNode()
        try await serving(node) { live in
            let many = try (0..<3).map {
                try SignedTransaction.record("\($0)", sequence: UInt64($0), genesis: node.genesisHash)
            }
            let body = Array(try JSONEncoder().encode(SubmissionsDocument(many)))
            let answer = try await live.request(
                "/v1/transactions", method: "POST", body: body, type: "application/json")
            #expect(answer.status == 200)
            let document = try JSONDecoder().decode(SubmissionsAnswerDocument.self, from: Data(answer.body))
            #expect(document == SubmissionsAnswerDocument(accepted: 3, refused: []))
        }
    }

    @Test func whatIsNoListIsRefusedWhole() async throws {
        let node = try FakeNode()
        try await serving(node) { live in
            func post(_ body: [UInt8], type: String = SubmissionLimits.mediaType) async throws -> (Int, String) {
                let answer = try await live.request("/v1/transactions", method: "POST", body: body, type: type)
                return (answer.status, try answer.error().code)
            }
            let one = try SignedTransaction.record("a", sequence: 0, genesis: node.genesisHash)
            #expect(try await post(one.borsh) == (400, "malformed"))
            #expect(try await post(list([one]) + [0]) == (400, "malformed"))
            #expect(try await post([]) == (400, "malformed"))
            let tooMany = Array(repeating: one, count: SubmissionLimits.transactions + 1)
            #expect(try await post(list(tooMany)) == (400, "malformed"))
            let tooLong = [UInt8](repeating: 0, count: SubmissionLimits.bytes + 5)
            #expect(try await post(tooLong) == (413, "too_large"))
            let json = try JSONEncoder().encode(SubmissionsDocument(tooMany))
            #expect(try await post(Array(json), type: "application/json") == (413, "too_large"))
            #expect(try await post(list([])) == (400, "malformed"))
            #expect(
                try await post(Array(#"{"transactions": []}"#.utf8), type: "application/json") == (400, "malformed"))
            let both = #"{"borsh": "AA==", "transactions": []}"#
            #expect(try await post(Array(both.utf8), type: "application/json") == (400, "malformed"))
            #expect(node.head == .zero)
        }
    }
}
