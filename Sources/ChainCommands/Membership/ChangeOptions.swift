import APIModel
import ArgumentParser
import ChainClient
import Encoding
import Primitives

/// `--set`, `--remove`, `--upgrade`: what a proposal would change.
package struct ChangeOptions: ParsableArguments {
    /// A change holds from the second epoch after its proposal's at the earliest: sets are fixed so far ahead.
    static let standardEpochsAhead: UInt64 = 2

    @Option(help: ArgumentHelp("A parameter's new value.", valueName: "name=value")) var set: String?
    @Option(
        help: ArgumentHelp(
            "The masternode that is to leave: consensus key, its first digits, or name.", valueName: "masternode"))
    var remove: String?
    @Option(help: ArgumentHelp("Version of the protocol that is to run.", valueName: "version")) var upgrade: UInt16?

    package init() {}

    package enum Wanted: Equatable, Sendable {
        case parameter(name: String, value: UInt64)
        case removal(of: String)
        case upgrade(UInt16)
    }

    package func parsed() throws -> Wanted {
        switch (set, remove, upgrade) {
        case (let text?, nil, nil): return try Self.assignment(text)
        case (nil, let text?, nil): return .removal(of: text)
        case (nil, nil, let version?): return .upgrade(version)
        default: throw UsageError("give one of --set NAME=VALUE, --remove MASTERNODE and --upgrade VERSION")
        }
    }

    package static func assignment(_ text: String) throws -> Wanted {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, !parts[0].isEmpty else {
            throw UsageError("--set '\(text)': write NAME=VALUE, as in --set heartbeatMs=20000")
        }
        let digits = parts[1].filter { $0 != "_" && $0 != "," }
        guard let value = UInt64(digits) else {
            throw UsageError("--set '\(text)': '\(parts[1])' is not a whole number below 2^64")
        }
        return .parameter(name: parts[0], value: value)
    }
}

extension ChangeOptions.Wanted {
    /// The change itself, checked as the chain will check it.
    package func resolved(_ set: MasternodesDocument, parameters: ParametersDocument) throws -> Change {
        switch self {
        case .parameter(let name, let value):
            // A node with other parameters than this program knows checks by itself.
            if let current = parameters.values() {
                switch current.changing(name, to: value) {
                case .success: break
                case .failure(let error):
                    let hint =
                        if case .unknown = error {
                            Spelling.hint(for: name, among: Parameters.names) + "; 'governance parameters' lists them"
                        } else { "" }
                    throw UsageError("--set \(name)=\(value): \(error)\(hint)")
                }
            }
            return .parameter(name: name, value: value)
        case .removal(let text):
            let found = try set.masternode(named: text)
            switch found.status.kind {
            case .active, .waiting, .suspended: return .removeMasternode(found.consensusKey)
            case .leaving, .removed, .slashed:
                throw Refused(
                    "not_registered", "\(found.title) can't be removed: \(MasternodeText.status(found.status))")
            }
        case .upgrade(let version):
            guard Int(version) > parameters.protocolVersion else {
                throw UsageError(
                    "--upgrade \(version): the chain runs protocol version \(parameters.protocolVersion) already")
            }
            guard Int(version) == parameters.protocolVersion + 1 else {
                throw UsageError("--upgrade \(version): only version \(parameters.protocolVersion + 1) can follow")
            }
            return .upgrade(protocolVersion: version)
        }
    }
}
