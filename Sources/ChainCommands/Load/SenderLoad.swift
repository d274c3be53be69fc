import ChainClient
import CommandSupport
import Cryptography
import Dispatch
import Foundation
import Ledger
import Primitives
import Synchronization

/// What the senders will send, signed in advance so that sending costs next to nothing: records of a service that nobody
/// registered, all of the same size.
struct SenderLoad: Sendable {
    /// One sender's, one after the other, by ascending sequence.
    struct Sender: Sendable {
        let bytes: [UInt8]
        let ids: [TransactionId]
    }

    let senders: [Sender]
    /// Bytes of one transaction.
    let size: Int
    let each: Int

    /// Fields and signature, without data.
    static let smallest = 156
    static let largest = 60_000
    private static let service = ServiceId(unchecked: Array("load".utf8))

    /// Keys that belong to a seed.
    static func keys(_ count: Int, of seed: [UInt8]) -> [PrivateKey] {
        (0..<count).compactMap { index in
            PrivateKey(seed: Digest(domain: "edgeproof/load-sender/1", parts: seed, UInt32(index).borsh).bytes)
        }
    }

    /// - Parameter count: transactions of all senders together, about.
    static func sign(_ keys: [PrivateKey], count: Int, bytes: Int, client: ChainClient) async throws -> SenderLoad {
        let status = try await client.status()
        guard let parameters = try await client.parameters().values() else {
            throw Refused("other_parameters", "the network has other parameters than this program knows")
        }
        let accounts = keys.map { Account($0.publicKey) }
        let first = try await sequences(of: accounts, client)
        let each = max(1, (count + keys.count - 1) / keys.count)
        // By the chain's clock where that is ahead.
        let now = max(UInt64(Date().timeIntervalSince1970 * 1_000), status.head.time)
        let until = Time(now + parameters.validityMs - min(parameters.validityMs / 4, 30_000))
        let data = [UInt8](repeating: 7, count: max(0, bytes - smallest))
        let gas = parameters.intrinsicGas(dataBytes: data.count)
        let genesis = status.genesisHash
        let signed = Mutex<[Sender?]>(Array(repeating: nil, count: keys.count))
        let failure = Mutex<(any Error)?>(nil)
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            DispatchQueue.global().async {
                DispatchQueue.concurrentPerform(iterations: keys.count) { index in
                    do {
                        var flat: [UInt8] = []
                        var ids: [TransactionId] = []
                        for number in 0..<each {
                            let one = try SignedTransaction(
                                signing: Transaction(
                                    sender: accounts[index], sequence: first[index] + UInt64(number), validUntil: until,
                                    gasLimit: gas, serviceId: service, actionId: .applicationTask, data: data),
                                with: keys[index], genesis: genesis)
                            flat += one.borsh
                            ids.append(one.id(genesis: genesis))
                        }
                        let sender = Sender(bytes: flat, ids: ids)
                        signed.withLock { $0[index] = sender }
                    } catch { failure.withLock { $0 = error } }
                }
                continuation.resume()
            }
        }
        if let error = failure.withLock({ $0 }) { throw error }
        let senders = signed.withLock { $0.compactMap { $0 } }
        return SenderLoad(senders: senders, size: (senders.first?.bytes.count ?? 0) / each, each: each)
    }

    private static func sequences(of accounts: [Account], _ client: ChainClient) async throws -> [UInt64] {
        var found = Array(repeating: UInt64(0), count: accounts.count)
        for start in stride(from: 0, to: accounts.count, by: 32) {
            try await withThrowingTaskGroup(of: (Int, UInt64).self) { group in
                for index in start..<min(start + 32, accounts.count) {
                    group.addTask { (index, try await client.account(accounts[index])?.sequence ?? 0) }
                }
                for try await (index, sequence) in group { found[index] = sequence }
            }
        }
        return found
    }
}
