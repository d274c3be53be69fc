import Cryptography
import Encoding

/// Where a chain begins: its name, time, parameters, masternodes and balances. Its hash is in every signature.
public struct Genesis: BorshCodable, Hashable, Sendable {
    public struct Allocation: BorshCodable, Hashable, Sendable {
        public let account: Account
        /// Smallest units of money.
        public let balance: UInt128

        public init(account: Account, balance: UInt128) {
            self.account = account
            self.balance = balance
        }

        public func encode(to encoder: inout BorshEncoder) {
            encoder.value(account)
            encoder.integer(balance)
        }

        public init(from decoder: inout BorshDecoder) throws(BorshError) {
            account = try decoder.value()
            balance = try decoder.integer()
        }
    }

    public static let longestName = 64
    public static let mostAllocations = 100_000

    public let chainName: String
    public let time: Time
    public let parameters: Parameters
    public let masternodes: MasternodeSet
    /// Strictly ascending by account.
    public let allocations: [Allocation]

    public init(
        chainName: String, time: Time, parameters: Parameters, masternodes: MasternodeSet, allocations: [Allocation]
    ) throws(GenesisError) {
        self.chainName = chainName
        self.time = time
        self.parameters = parameters
        self.masternodes = masternodes
        self.allocations = allocations.sorted { $0.account < $1.account }
        try check()
    }

    private func check() throws(GenesisError) {
        guard (1...Self.longestName).contains(chainName.utf8.count) else { throw .invalid("the chain name has no or too many characters") }
        if let problem = parameters.problem { throw .invalid(problem) }
        guard allocations.count <= Self.mostAllocations else { throw .invalid("there are too many allocations") }
        var supply: UInt128 = 0
        for (index, allocation) in allocations.enumerated() {
            if index > 0, allocations[index - 1].account == allocation.account {
                throw .invalid("account \(allocation.account) is allocated twice")
            }
            let (sum, overflow) = supply.addingReportingOverflow(allocation.balance)
            guard !overflow else { throw .invalid("the allocations add up to more than 2^128") }
            supply = sum
        }
        let collateral = UInt128(parameters.collateral) * UInt128(masternodes.count)
        guard !supply.addingReportingOverflow(collateral).overflow else {
            throw .invalid("the allocations and the collateral add up to more than 2^128")
        }
    }

    /// Names the chain in every signature and handshake.
    public var hash: Digest { Digest(domain: "edgeproof/genesis/1", parts: borsh) }

    /// R_0 of the randomness beacon.
    public var initialRandomness: Digest { Digest(domain: "edgeproof/beacon/1", parts: hash.bytes) }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.string(chainName)
        encoder.value(time)
        encoder.value(parameters)
        encoder.value(masternodes)
        encoder.array(allocations)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        chainName = try decoder.string(limit: Self.longestName)
        time = try decoder.value()
        parameters = try decoder.value()
        masternodes = try decoder.value()
        allocations = try decoder.array(limit: Self.mostAllocations, smallestElement: 48)
        for (lower, higher) in zip(allocations, allocations.dropFirst()) where !(lower.account < higher.account) {
            throw decoder.failure(.notCanonical("allocations are not in ascending order"))
        }
        do { try check() } catch { throw decoder.failure(.notCanonical(error.description)) }
    }
}

public enum GenesisError: Error, Equatable, CustomStringConvertible {
    case invalid(String)

    public var description: String {
        switch self {
        case .invalid(let reason): "the genesis is not usable: \(reason)"
        }
    }
}

/// The randomness beacon (architecture, section 3): hash chains whose preimages blocks show.
public enum Beacon {
    /// The link above a preimage.
    public static func link(_ preimage: Digest) -> Digest {
        Digest(domain: "edgeproof/beacon-link/1", parts: preimage.bytes)
    }

    /// R_h = H(R_{h-1}, reveal_h).
    public static func mix(_ randomness: Digest, reveal: Digest) -> Digest {
        Digest(domain: "edgeproof/beacon-mix/1", parts: randomness.bytes, reveal.bytes)
    }
}
