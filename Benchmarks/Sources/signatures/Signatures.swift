import ArgumentParser
import Crypto
import Cryptography

/// Microseconds a signature: swift-crypto one by one, the chain's rule one by one, batches as sums, and batches by prepared
/// keys, in turn in one run, so that what else the machine does falls on all alike.
@main struct Signatures: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "signatures", abstract: "Measures checks of signatures, one by one and in batches.",
        usage: "scripts/bench-signatures --passes 9")

    @Option(help: "How often all is measured; the median counts.") var passes = 7
    @Option(help: "Bytes of each message.") var bytes = 200

    func validate() throws {
        guard (1...1_000).contains(passes) else { throw ValidationError("--passes is 1 to 1000, not \(passes)") }
        guard (0...65_536).contains(bytes) else { throw ValidationError("--bytes is 0 to 65536, not \(bytes)") }
    }

    private static let sizes = [2, 16, 64, 256, 1_024]
    private static let preparedSizes = [1, 2, 4, 5, 8, 16, 18, 32, 256]

    func run() throws {
        let count = 1_024
        let signers = (0..<count).map { _ in PrivateKey.generate() }
        func claims(signers: [PrivateKey]) throws -> [SignatureClaim] {
            try (0..<count).map { index in
                let message = (0..<bytes).map { UInt8(truncatingIfNeeded: index &* 31 &+ $0) }
                let key = signers[index % signers.count]
                return SignatureClaim(key: key.publicKey, signature: try key.sign(message: message), message: message)
            }
        }
        let busy = try claims(signers: Array(signers.prefix(256)))
        // Each key so often that it is prepared.
        for _ in 0..<10 { _ = SignatureBatch.check(busy) }
        let different = try claims(signers: signers), few = try claims(signers: Array(signers.prefix(16)))
        let keys = try different.map { try Curve25519.Signing.PublicKey(rawRepresentation: $0.key.bytes) }

        var rows: [(name: String, times: [Double])] = []
        func measure(_ name: String, _ number: Int, _ body: () -> Bool) throws {
            let start = ContinuousClock.now
            let isRight = body()
            let elapsed = (ContinuousClock.now - start).components
            guard isRight else { throw ValidationError("\(name): a valid signature was refused") }
            let micros = (Double(elapsed.seconds) * 1e6 + Double(elapsed.attoseconds) / 1e12) / Double(number)
            if let row = rows.firstIndex(where: { $0.name == name }) {
                rows[row].times.append(micros)
            } else {
                rows.append((name, [micros]))
            }
        }
        for _ in 0..<passes {
            try measure("swift-crypto, one by one", 256) {
                zip(keys, different).prefix(256).allSatisfy { key, claim in
                    key.isValidSignature(claim.signature.bytes, for: claim.message)
                }
            }
            // Keys that were never seen.
            let fresh = try claims(signers: (0..<count).map { _ in PrivateKey.generate() })
            try measure("ZIP 215, one by one", 256) { fresh.prefix(256).allSatisfy(\.isValid) }
            for size in Self.sizes {
                let batches = stride(from: 0, to: count, by: size).map { Array(different[$0..<$0 + size]) }
                try measure("batches of \(size)", count) { batches.allSatisfy { SignatureBatch.allHold($0) } }
            }
            try measure("batches of 1024, 16 signers", count) { SignatureBatch.allHold(few) }
            for size in Self.preparedSizes {
                let batches = stride(from: 0, through: count - size, by: size).map { Array(busy[$0..<$0 + size]) }
                try measure("prepared keys, \(size)", batches.count * size) {
                    batches.allSatisfy { !SignatureBatch.check($0).contains(false) }
                }
            }
        }
        func median(_ times: [Double]) -> Double { times.sorted()[times.count / 2] }
        let base = median(rows[0].times)
        func padded(_ text: String, _ width: Int, left: Bool = false) -> String {
            let space = String(repeating: " ", count: max(0, width - text.count))
            return left ? space + text : text + space
        }
        func number(_ value: Double) -> String {
            let hundredths = Int((value * 100).rounded())
            return "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100)"
        }
        print(padded("", 30) + padded("us each", 10, left: true) + padded("least", 10, left: true)
            + padded("most", 10, left: true) + padded("ratio", 10, left: true))
        for row in rows {
            print(
                padded(row.name, 30) + padded(number(median(row.times)), 10, left: true)
                    + padded(number(row.times.min() ?? 0), 10, left: true)
                    + padded(number(row.times.max() ?? 0), 10, left: true)
                    + padded(number(median(row.times) / base), 10, left: true))
        }
    }
}
