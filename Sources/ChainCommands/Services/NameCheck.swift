import APIModel
import ChainClient
import Cryptography
import Primitives

/// What is wrong with a registration before anything is sent: its upload would be paid for all the same.
package enum NameCheck {
    /// - Throws: ``Refused`` where the chain has a service of this name, or the owner has not the deposit.
    static func require(_ name: ServiceId, deposit: UInt128, owner: Account, code: [UInt8], _ client: ChainClient)
        async throws
    {
        if let found = try await client.service(name) {
            throw Refused("service_exists", taken(found, owner: owner, codeHash: Digest(sha256: code)))
        }
        let balance = try await client.account(owner)?.balance ?? 0
        guard balance >= deposit else {
            throw Refused("insufficient_balance", short(of: deposit, balance: balance, owner: owner))
        }
    }

    package static func taken(_ found: ServiceDocument, owner: Account, codeHash: Digest) -> String {
        let name = Format.label(found.id)
        let own = found.owner == owner
        return
            "the name '\(name)' is taken: \(own ? "you have" : found.owner.description + " has") registered it in block "
            + "\(Format.number(found.registeredAt))\(own && found.codeHash == codeHash ? ", with this very code" : ""). Nothing was sent; "
            + (own ? "'chain-cli service show \(name)' shows it" : "choose another name")
    }

    package static func short(of deposit: UInt128, balance: UInt128, owner: Account) -> String {
        "the deposit of \(Format.money(deposit)) is more than \(owner) has: \(Format.money(balance)). Nothing was sent"
    }
}
