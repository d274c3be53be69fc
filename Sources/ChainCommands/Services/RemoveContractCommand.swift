import ArgumentParser
import ChainClient
import Cryptography
import Encoding
import Primitives

/// The other end of `contract upload`.
struct RemoveContractCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Take a module off the chain and get its deposit back.",
        discussion: """
            Only who uploaded it can, and only while no service uses it.

            Example: chain-cli contract remove counter.wasm --from alice
            """)

    @Argument(help: "The module, or the SHA-256 of it that 'contract upload' printed.") var code: String
    @OptionGroup var sending: SendingOptions
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let hash =
            if let bytes = Hexadecimal.decode(code), let hash = Digest(bytes) { hash } else {
                Digest(sha256: try Contracts.read(code))
            }
        let data = RemoveContract(codeHash: hash)
        var request = TransactionRequest(service: .chain, action: .removeContract, data: data.borsh)
        request.gasLimit = sending.gas
        let sender = try await global.sender(sending.from)
        try await Sending.perform(request, from: sender, sending, wait: true, global)
    }
}
