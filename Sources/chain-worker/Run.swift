import ArgumentParser
import ChainClient
import CommandSupport
import Cryptography
import Foundation
import KeyFiles
import Primitives
import ProgramSupport
import Training
import WorkerRuntime

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Join a job and work until it is finished.",
        discussion: """
            Split learning: an edge trains on its own images, which never leave it, and on its devices' samples, if the \
            job has devices (--edge); the cloud runs the back of the network. Fog learning: a device hands its blurred samples to its fog node (--fog-node); a fog node trains \
            on them, and on its own --data if there is any; the cloud takes the mean of the updates. A validator, or a \
            cloud that is one, evaluates on reserved images.

            Examples:
            chain-worker run --job digits --role cloud --data ~/mnist --key cloud --model digits.safetensors
            chain-worker run --job digits --role edge --data ~/mnist --shard 0/2 --key edge-1
            chain-worker run --job houses --role fog --key fog-1
            chain-worker run --job houses --role device --fog-node edge1... --data ~/svhn --shard 0/6 --key device-1
            chain-worker run --job houses --role validator --data ~/svhn --key val-1
            """)

    @Option(help: "The job's name (see 'chain-cli job list').") var job: String
    @Option(help: "cloud, edge, fog, device or validator.") var role: WorkerRole
    @Option(
        help:
            "Folder with the job's images: MNIST as IDX or CSV files, SVHN as .mat files. A cloud needs it to evaluate, a fog node for samples of its own."
    ) var data: String?
    @Option(help: "train or test. Clouds and validators take the test part, all others the train part.")
    var part: ImageFiles.Part?
    @Option(
        name: [.customLong("fog-node"), .customLong("edge")],
        help:
            "The account of the fog node that a device belongs to (in a split job: of the edge), or the name of its key."
    ) var fogNode: String?
    @Option(help: "I/N, with I from 0 to N - 1: every N-th image from the I-th on is this worker's part.") var shard:
        Shard?
    @Option(help: "Use the first images of the part only.") var samples: Int?
    @Option(help: "URLs of nodes' APIs, with commas or repeated, for when one is down. Default: EDGEPROOF_NODE.")
    var node: [String] = []
    @Option(help: "HOST:PORT that other workers reach this one at; port 0 takes a free one.")
    var listen: String = "127.0.0.1:0"
    @Option(help: "The host to publish, where it differs from the one to listen on.") var publicHost: String?
    @Option(help: "Name of the key, in the folder of --keys.") var key: String
    @Option(help: "Folder with key files (EDGEPROOF_KEYS, else ~/.edgeproof/keys).") var keys: String?
    @Option(help: "A file of mode 0600 whose first line opens the key.") var passphraseFile: String?
    @Option(help: "Folder for what must survive a crash (default ~/.edgeproof/worker/JOB-KEY).") var state: String?
    @Option(help: "Where to write the final model (safetensors); the best one goes beside it.") var model: String?
    @Option(
        help: "The safetensors file with the weights that the job starts from, if it names any; the cloud's is enough.")
    var weights: String?
    @Option(help: "Threads for training; the results are the same for any number.") var threads: Int = 1
    @Option(
        help:
            "SHA-256 or file of a job contract to work for; may be repeated. Without it the one of this program's own version."
    ) var acceptCode: [String] = []
    @Option(help: "Account that may validate; may be repeated. Without it anybody may, and the terms say who does.")
    var acceptValidator: [String] = []
    @Option(help: "The chain's genesis file. Without it the node's word is taken at the first start, and kept.")
    var genesis: String?
    @Flag(inversion: .prefixedNo, help: "Whether a fog job's cloud tries each update on its reserved images.")
    var tryUpdates = true
    @Option(
        help:
            "Of all steps the part that a validator does again, from 0 to 1. All members of a committee use the same. Default: 0.1."
    )
    var auditShare: Double?
    @Flag(
        inversion: .prefixedNo,
        help:
            "Whether to stay when the job is over, until the work of its last rounds can't be disputed any more (10 minutes): who is silent in a dispute can be found a liar."
    ) var stay = true
    @Option(
        help:
            "For experiments: withhold, poison, lie, slow, ignore or copy, and in which part of the rounds (or steps), as in poison:0.2; may be repeated."
    ) var fault: [String] = []
    @Option(help: "For experiments: in which rounds the faults fall.") var faultSeed: UInt64?
    @Flag(help: "Wait for a job that does not exist yet.") var wait = false
    @Flag(help: "One JSON document a line instead of text.") var json = false

    func validate() throws {
        guard ServiceId(job) != nil, !job.isEmpty else { throw ValidationError("--job takes 1 to 32 bytes") }
        guard (1...64).contains(threads) else { throw ValidationError("--threads takes 1 to 64") }
        if let samples, samples < 1 { throw ValidationError("--samples takes a number from 1 on") }
        if let auditShare {
            guard (0...1).contains(auditShare) else {
                throw ValidationError("--audit-share takes a number from 0 to 1")
            }
            guard role == .validator else {
                throw ValidationError("--audit-share is for validators: they do steps again")
            }
        }
        if !tryUpdates, role != .cloud {
            throw ValidationError("--no-try-updates is for clouds: nobody else tries updates")
        }
        if faultSeed != nil, fault.isEmpty { throw ValidationError("--fault-seed goes with --fault") }
        for text in fault where Faults.parse(text) == nil {
            throw ValidationError(
                "--fault \(text): write one of \(Faults.Kind.allCases.map(\.rawValue).joined(separator: ", ")), a colon and a share from 0 to 1"
            )
        }
        if role != .fog, fault.contains(where: { Faults.parse($0)?.kind == .poison }) {
            throw ValidationError("--fault poison is for fog nodes: it turns a difference round")
        }
        if role != .cloud, fault.contains(where: { Faults.parse($0)?.kind == .ignore }) {
            throw ValidationError("--fault ignore is for clouds: they act as if their first worker were not there")
        }
        if role == .device || role == .validator, !fault.isEmpty {
            throw ValidationError(
                "--fault is for clouds, edges and fog nodes: a \(role.rawValue) has no work to falsify")
        }
        if role == .cloud, fault.contains(where: { Faults.parse($0)?.kind == .copy }) {
            throw ValidationError("--fault copy is for edges and fog nodes: a cloud has nobody to copy from")
        }
        if role == .device || role == .validator, weights != nil {
            throw ValidationError("--weights is for clouds, edges and fog nodes: a \(role.rawValue) trains nothing")
        }
        if (role == .device) != (fogNode != nil) {
            throw ValidationError(
                role == .device
                    ? "a device needs --fog-node ACCOUNT, or --edge ACCOUNT in a split job"
                    : "--fog-node and --edge are for devices")
        }
        if data == nil, shard != nil || samples != nil || part != nil {
            throw ValidationError("--shard, --samples and --part are for images: give --data, too")
        }
        let (host, _) = try address()
        if publicHost == nil, ["0.0.0.0", "::", "*"].contains(host) {
            throw ValidationError("--listen \(host) has no address that others could use: give --public-host, too")
        }
    }

    private func address() throws -> (String, Int) {
        guard let colon = listen.lastIndex(of: ":"), let port = Int(listen[listen.index(after: colon)...]),
            (0...65_535).contains(port)
        else { throw ValidationError("--listen \(listen): write HOST:PORT") }
        var host = String(listen[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        guard !host.isEmpty else { throw ValidationError("--listen \(listen): write HOST:PORT") }
        return (host, port)
    }

    func run() async throws {
        do {
            let settings = try settings()
            let printer = EventPrinter(
                json: json, job: job, worker: Account(settings.key.publicKey).description)
            let worker = Worker(configuration: settings) { printer.print($0) }
            try await ProgramSupport.untilStopped { try await worker.run() }
        } catch {
            throw Failure.told(error)
        }
    }

    /// An address, or the name of a key here, as wherever the product takes an account.
    private func account(_ text: String, _ option: String, _ keys: KeyDirectory) throws -> Account {
        if text.lowercased().hasPrefix("edge1") { return try Account(address: text) }
        guard KeyDirectory.isValid(name: text), try keys.contains(text),
            let key = PublicKey(hex: try keys.load(text).publicKey)
        else {
            throw UsageError("\(option) \(text): neither an address (edge1...) nor the name of a key in \(keys.path)")
        }
        return Account(key)
    }

    private func settings() throws -> WorkerConfiguration {
        let directory = KeyDirectory(path: FilePath.keys(keys))
        // What is quickly looked at comes first: a passphrase may have to be typed.
        let nodes = try Nodes.find(node)
        let network = try genesis.map { try GenesisFile.read($0) }
        let parent = try fogNode.map { try account($0, "--fog-node", directory) }
        let validators = Set(try acceptValidator.map { try account($0, "--accept-validator", directory) })
        let codes = try KnownCode.find(acceptCode)
        let passphrase = try Passphrase.find(file: passphraseFile.map { FilePath.expanded($0) }, for: key)
        if let weights { _ = try InputFile.read(weights, "file of weights", limit: 1 << 30) }
        let (host, port) = try address()
        var faults = Faults()
        faults.seed = faultSeed ?? 0
        for text in fault { if let (kind, share) = Faults.parse(text) { faults[kind] = share } }
        let images = data.map {
            ImageSource(
                folder: FilePath.expanded($0), part: part, shard: shard.map { ($0.index, $0.count) }, limit: samples)
        }
        let state = FilePath.expanded(state ?? "~/.edgeproof/worker/\(job)-\(key)")
        return WorkerConfiguration(
            job: ServiceId(job) ?? .chain, role: role.role, key: try directory.open(key, passphrase: passphrase),
            nodes: nodes, host: host, port: port, publicHost: publicHost,
            parent: parent, data: images,
            stateFolder: URL(filePath: state, directoryHint: .isDirectory),
            modelFile: model.map { URL(filePath: FilePath.expanded($0)) },
            weightsFile: weights.map { URL(filePath: FilePath.expanded($0)) }, threads: threads, waits: wait,
            acceptedCode: codes, acceptedValidators: validators,
            genesis: network, triesEachUpdate: tryUpdates, auditShare: auditShare ?? 0.1, stays: stay, faults: faults)
    }
}

enum WorkerRole: String, ExpressibleByArgument, CaseIterable {
    case cloud, edge, fog, device, validator

    var role: Role {
        switch self {
        case .cloud: .cloud
        case .edge: .edge
        case .fog: .fog
        case .device: .device
        case .validator: .validator
        }
    }
}

struct Shard: ExpressibleByArgument {
    let index: Int
    let count: Int

    init?(argument: String) {
        let parts = argument.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
        guard parts.count == 2, let index = parts[0], let count = parts[1], count > 0, (0..<count).contains(index)
        else {
            return nil
        }
        self.index = index
        self.count = count
    }
}

extension ImageFiles.Part: ExpressibleByArgument {}
