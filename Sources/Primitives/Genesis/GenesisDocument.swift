import Cryptography
import Encoding
import Foundation

/// `genesis.json`, the form of a genesis that people read and hand around. Its hash is that of the Borsh form.
public struct GenesisDocument: Codable, Sendable {
    public struct Member: Codable, Sendable {
        public let name: String
        public let consensusKey: String
        public let owner: String
        public let beaconTip: String
    }

    public struct Allocation: Codable, Sendable {
        public let account: String
        public let balance: String
    }

    public let chainName: String
    /// Milliseconds since 1970.
    public let time: String
    public let parameters: Parameters
    public let masternodes: [Member]
    public let allocations: [Allocation]
    /// For a reader's convenience; checked when present.
    public let genesisHash: String?

    public init(_ genesis: Genesis) {
        chainName = genesis.chainName
        time = genesis.time.description
        parameters = genesis.parameters
        masternodes = genesis.masternodes.members.map {
            Member(
                name: $0.name, consensusKey: $0.consensusKey.hex, owner: $0.owner.description,
                beaconTip: $0.beaconTip.hex)
        }
        allocations = genesis.allocations.map {
            Allocation(account: $0.account.description, balance: String($0.balance))
        }
        genesisHash = genesis.hash.hex
    }

    /// The checked genesis.
    public func genesis() throws -> Genesis {
        guard let time = UInt64(time) else { throw GenesisError.invalid("time '\(time)' is not a number of milliseconds") }
        let members = try masternodes.map { member in
            guard let key = PublicKey(hex: member.consensusKey) else {
                throw GenesisError.invalid("consensusKey '\(member.consensusKey)' is not 64 hexadecimal digits")
            }
            guard let tip = Digest(hex: member.beaconTip) else {
                throw GenesisError.invalid("beaconTip '\(member.beaconTip)' is not 64 hexadecimal digits")
            }
            return Masternode(
                name: member.name, consensusKey: key, owner: try Account(address: member.owner), beaconTip: tip)
        }
        let allocations = try allocations.map { allocation in
            guard let balance = UInt128(allocation.balance) else {
                throw GenesisError.invalid("balance '\(allocation.balance)' is not a whole number below 2^128")
            }
            return Genesis.Allocation(account: try Account(address: allocation.account), balance: balance)
        }
        let genesis = try Genesis(
            chainName: chainName, time: Time(time), parameters: parameters, masternodes: MasternodeSet(members),
            allocations: allocations)
        if let genesisHash, genesisHash != genesis.hash.hex {
            throw GenesisError.invalid(
                "its genesisHash says \(genesisHash), but its content hashes to \(genesis.hash.hex)")
        }
        return genesis
    }

    /// Checked before the document is decoded, so that a mistake is told by its line.
    static let form = JSONForm.object([
        .required("chainName", .text), .required("time", .text),
        .required("parameters", .object(Parameters.names.map { .required($0, .whole(0...UInt64.max)) })),
        .required(
            "masternodes",
            .list(
                .object([
                    .required("name", .text), .required("consensusKey", .text), .required("owner", .text),
                    .required("beaconTip", .text),
                ]))),
        .required("allocations", .list(.object([.required("account", .text), .required("balance", .text)]))),
        .optional("genesisHash", .text),
    ])

    public static func decode(_ json: Data) throws -> Genesis {
        do { try form.check(json: json) } catch { throw GenesisError.invalid("\(error)") }
        let document: GenesisDocument
        do { document = try JSONDecoder().decode(GenesisDocument.self, from: json) } catch {
            throw GenesisError.invalid("a number in its parameters is too large")
        }
        return try document.genesis()
    }

    public func encoded() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(self)
    }
}
