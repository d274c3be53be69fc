import Cryptography
import Encoding
import Foundation
import Ledger
import Primitives
import Testing

/// A contract as `Contracts/build` makes it, on the ledger itself.
@Suite(.timeLimit(.minutes(20))) struct CounterContractTests {
    private static let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Contracts/.build/counter.wasm")

    @Test(.enabled(if: FileManager.default.fileExists(atPath: file.path), "run Contracts/build first"))
    func theCounterCounts() throws {
        let alice = try User("alice")
        var chain = try TestChain([alice])
        let code = Array(try Data(contentsOf: Self.file))
        let signed = try chain.transaction(alice, .uploadContract, data: code)
        guard case .admitted = try chain.ledger.admit(signed, state: chain.state, time: chain.time) else {
            throw BlockIsInvalid()
        }
        #expect(try chain.run([signed]).receipts.map(\.outcome) == [.succeeded])
        let service = try #require(ServiceId("counter"))
        let register = RegisterService(
            service: service, codeHash: Digest(sha256: code), kind: "contract", validator: nil,
            initData: UInt64(5).borsh)
        #expect(try chain.send(alice, .registerService, data: register.borsh, value: 10_000_000_000).outcome == .succeeded)

        func count() throws -> [UInt8]? {
            guard case .returned(let reply) = try chain.ledger.query(service, input: [], state: chain.state)?.outcome else {
                return nil
            }
            return reply
        }
        #expect(try count() == UInt64(5).borsh)
        let added = try chain.send(alice, service: "counter", ActionId(256), data: UInt64(7).borsh)
        #expect(added.outcome == .succeeded)
        #expect(added.events.map(\.data) == [UInt64(12).borsh])
        let later = try chain.send(
            alice, service: "counter", ActionId(258), data: UInt64(30).borsh + UInt64(5_000).borsh)
        #expect(later.outcome == .succeeded)
        #expect(try chain.run(after: 4_999).receipts.isEmpty)
        #expect(try chain.run(after: 1).receipts.map(\.outcome) == [.succeeded])
        #expect(try count() == UInt64(42).borsh)

        let refused = try chain.send(alice, service: "counter", ActionId(256), data: UInt64.max.borsh)
        #expect(refused.outcome == .failed("the counter would overflow"))
        let unknown = try chain.send(alice, service: "counter", ActionId(999))
        #expect(unknown.outcome.failure?.contains("999") == true)
        #expect(try chain.send(alice, service: "counter", ActionId(256), data: [1]).outcome.failure != nil)
        #expect(try count() == UInt64(42).borsh)
    }
}
