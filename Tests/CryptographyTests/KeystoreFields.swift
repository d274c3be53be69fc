import Cryptography
import Foundation

/// A key file's JSON, to change it as somebody with an editor would.
struct Fields: Codable {
    var version: Int
    var purpose: String
    var publicKey: String
    var scryptLogCost: Int
    var salt: String
    var nonce: String
    var ciphertext: String

    init(_ store: Keystore) {
        version = store.version
        purpose = store.purpose
        publicKey = store.publicKey
        scryptLogCost = store.scryptLogCost
        salt = store.salt
        nonce = store.nonce
        ciphertext = store.ciphertext
    }

    func keystore() throws -> Keystore {
        try JSONDecoder().decode(Keystore.self, from: JSONEncoder().encode(self))
    }
}
