import Cryptography
import Encoding
import Foundation
import ProgramSupport

/// The address book on the disk. It saves asking around after a restart, and no more: a node without it, or with a
/// damaged one, starts from its seeds.
struct AddressBookFile: Sendable {
    /// More bytes than the fullest book has.
    static let longest = 8_000_000

    private struct Document: Codable {
        struct Address: Codable {
            let consensusKey: String
            let tlsKey: String
            let address: String
            let signature: String
            let confirmed: Bool
        }

        var addresses: [Address]
    }

    let path: String

    enum Failure: Error, CustomStringConvertible {
        case damaged(String)
        case unwritable(String)

        var description: String {
            switch self {
            case .damaged(let detail): "the address book is damaged: \(detail)"
            case .unwritable(let detail): "the address book can't be written: \(detail)"
            }
        }
    }

    /// What the file holds, with whether the masternode itself confirmed it; signatures are not checked. Empty without
    /// a file.
    func read() throws(Failure) -> [(address: EndorsedAddress, isConfirmed: Bool)] {
        guard let file = FileHandle(forReadingAtPath: path) else {
            guard !FileManager.default.fileExists(atPath: path) else { throw .damaged("\(path) can't be opened") }
            return []
        }
        defer { try? file.close() }
        let document: Document
        do {
            let data = try file.read(upToCount: Self.longest + 1) ?? Data()
            guard data.count <= Self.longest else { throw Failure.damaged("\(path) has more than \(Self.longest) bytes") }
            document = try JSONDecoder().decode(Document.self, from: data)
        } catch let failure as Failure {
            throw failure
        } catch {
            throw .damaged("\(path): \(Reason.text(error))")
        }
        return try document.addresses.map { entry throws(Failure) in
            guard let key = PublicKey(hex: entry.consensusKey), let tlsKey = PublicKey(hex: entry.tlsKey),
                let bytes = Hexadecimal.decode(entry.signature), let signature = Signature(bytes)
            else { throw .damaged("\(path): not a key or signature at \(PrintableText.clean(entry.address, limit: 255))") }
            let address = EndorsedAddress(
                consensusKey: key, tlsKey: tlsKey, listenAddress: entry.address, signature: signature)
            return (address, entry.confirmed)
        }
    }

    /// Replaces the file as a whole.
    func write(_ entries: [AddressBook.Entry]) throws(Failure) {
        let document = Document(
            addresses: entries.map { entry in
                Document.Address(
                    consensusKey: entry.address.consensusKey.hex, tlsKey: entry.address.tlsKey.hex,
                    address: entry.address.listenAddress, signature: Hexadecimal.encode(entry.address.signature.bytes),
                    confirmed: entry.isConfirmed)
            })
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        do { try encoder.encode(document).write(to: URL(filePath: path), options: .atomic) } catch {
            throw .unwritable("\(path): \(Reason.text(error))")
        }
    }
}
