import WebClient
import ChainClient
import Cryptography
import Encoding
import Foundation
import LocalNetwork
import Primitives
import Testing

/// What a node says to input that is wrong: a clear reason, no crash, no state change.
@Suite(.timeLimit(.minutes(20))) struct BadInputTests {
    @Test func wrongTransactionsAreRefusedWithAReason() async throws {
        try await TestNetwork.with(masternodes: 1) { network in
            let alice = try network.key("alice")
            let account = Account(alice.publicKey)
            let genesis = network.genesis.hash
            func transaction(
                sequence: UInt64 = 0, gas: UInt64 = 1_000_000, action: ActionId = .applicationTask,
                service: String = "s", validForMs: UInt64 = 300_000
            ) throws -> Transaction {
                try Transaction(
                    sender: account, sequence: sequence,
                    validUntil: Time(UInt64(Date().timeIntervalSince1970 * 1_000) + validForMs), gasLimit: gas,
                    serviceId: ServiceId(unchecked: Array(service.utf8)), actionId: action, data: [1, 2, 3])
            }
            try await network.withClient { client in
                func expect(_ code: String, _ signed: SignedTransaction) async throws {
                    do {
                        try await client.submit(signed)
                        Issue.record("\(code): the node took it")
                    } catch let error as ClientError {
                        #expect(error.code == code, "\(error)")
                        #expect(!error.description.isEmpty)
                    }
                }
                func signed(_ transaction: Transaction) throws -> SignedTransaction {
                    try SignedTransaction(signing: transaction, with: alice, genesis: genesis)
                }
                try await expect(
                    "bad_signature",
                    SignedTransaction(signing: transaction(), with: try network.key("bob"), genesis: genesis))
                try await expect(
                    "bad_signature", SignedTransaction(signing: transaction(), with: alice, genesis: Digest(sha256: [1])))
                try await expect("sequence_too_far", signed(transaction(sequence: 64)))
                try await expect("unknown_service", signed(transaction(action: ActionId(300))))
                try await expect("unknown_action", signed(transaction(action: ActionId(12))))
                try await expect("unknown_action", signed(transaction(action: .transfer, service: "s")))
                try await expect("gas_limit", signed(transaction(gas: .max)))
                try await expect("valid_too_long", signed(transaction(validForMs: 1 << 40)))

                let stranger = PrivateKey.generate()
                let unfunded = try Transaction(
                    sender: Account(stranger.publicKey), sequence: 0,
                    validUntil: Time(UInt64(Date().timeIntervalSince1970 * 1_000) + 60_000), gasLimit: 1_000_000,
                    serviceId: ServiceId(unchecked: [115]), actionId: .applicationTask, data: [])
                try await expect(
                    "insufficient_credits", SignedTransaction(signing: unfunded, with: stranger, genesis: genesis))

                let good = try signed(transaction())
                let id = try await client.submit(good)
                try await eventually("it is final") { (try await client.transaction(id))?.inclusion != nil }
                // The same again is no error; another with its sequence is.
                let again = try await client.submit(good)
                #expect(again == id)
                try await expect("sequence_used", signed(transaction(action: .distributeTask)))
                let sequence = try await client.account(account)?.sequence
                #expect(sequence == 1)
            }
            for body in [[UInt8](), [1, 2, 3], Array(repeating: 0, count: 70_000)] {
                let status = try await network.post("/v1/transactions", body)
                #expect(status / 100 == 4)
            }
            let good = try SignedTransaction(signing: transaction(sequence: 1), with: alice, genesis: genesis)
            let trailing = try await network.post("/v1/transactions", good.borsh + [0])
            #expect(trailing == 400)

            let mistyped = String(account.description.dropLast()) + (account.description.hasSuffix("q") ? "p" : "q")
            let shown = try await network.cli("account", mistyped)
            #expect(shown.status != 0)
            #expect(shown.err.contains("mistyped") || shown.err.contains("checksum"), "\(shown.err)")
        }
    }

    @Test func wrongContractsFailCleanly() async throws {
        try await TestNetwork.with(masternodes: 1) { network in
            let file = network.plan.folder.appending(path: "bad.wasm")
            for bytes in [[0, 0x61, 0x73, 0x6d], [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0x0f]] {
                try Data(bytes.map { UInt8($0) }).write(to: file)
                let refused = try await network.cli("contract", "upload", file.path, "--from", "alice")
                #expect(refused.status == 1, "\(refused.out)")
                #expect(!refused.err.isEmpty)
            }
            let still = try await network.cli("status")
            #expect(still.status == 0)
        }
    }

    @Test func aDamagedStoreOrAForeignGenesisStopsTheNodeWithAReason() async throws {
        try await TestNetwork.with(masternodes: 1) { network in
            let sent = try await network.cli(
                "tx", "submit", "--service", "s", "--action", "5", "--data", "x", "--from", "alice", "--wait")
            #expect(sent.status == 0, "\(sent.err)")
            await network.stop(0)
            let home = network.plan.home(0)

            // Another genesis: the home belongs to another chain.
            let original = try Data(contentsOf: home.genesisFile)
            let other = try Genesis(
                chainName: "other", time: network.genesis.time, parameters: network.genesis.parameters,
                masternodes: network.genesis.masternodes, allocations: network.genesis.allocations)
            try home.write(other)
            var status = try await network.runToEnd(0)
            #expect(status.code == 1)
            #expect(status.log.contains("belongs to another chain"), "\(status.log)")
            try original.write(to: home.genesisFile)

            // A damaged file of the database.
            let files = try FileManager.default.contentsOfDirectory(at: home.databaseFolder, includingPropertiesForKeys: nil)
            for file in files where ["ldb", "log", "sst"].contains(file.pathExtension) || file.lastPathComponent.hasPrefix("MANIFEST") {
                var bytes = try Data(contentsOf: file)
                guard bytes.count > 64 else { continue }
                for place in stride(from: 20, to: bytes.count, by: 37) { bytes[place] ^= 0x5a }
                try bytes.write(to: file)
            }
            status = try await network.runToEnd(0)
            #expect(status.code == 1)
            #expect(status.log.contains("chaind: corrupt database at"), "\(status.log)")
        }
    }
}

extension TestNetwork {
    /// Status code of a raw request.
    func post(_ path: String, _ body: [UInt8]) async throws -> Int {
        let client = HTTPClient()
        var request = HTTPClientRequest(url: plan.apiURL(0) + path)
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/octet-stream")
        request.body = .bytes(body)
        let status: Int
        do {
            status = Int(try await client.execute(request, timeout: .seconds(120)).status.code)
        } catch {
            client.shutdown()
            throw error
        }
        client.shutdown()
        return status
    }

    /// Runs a node that is expected to end by itself.
    func runToEnd(_ index: Int) async throws -> (code: Int32, log: String) {
        try await start(index)
        let process = try #require(await process("node\(index)"))
        let code = await process.waitForExit()
        return (code, process.logTail())
    }
}
