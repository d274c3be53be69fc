import ArgumentParser
import ChainClient
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
            An edge trains on its own images, which never leave it; the cloud runs the back of the network and, where \
            the job names it as validator, evaluates on reserved images.

            Example: chain-worker run --job digits --role cloud --data ~/mnist --key cloud --model digits.model
            """)

    @Option(help: "The job's name (see 'chain-cli job list').") var job: String
    @Option(help: "cloud or edge.") var role: WorkerRole
    @Option(help: "Folder with MNIST, as IDX files or CSV. Edges take the train part, the cloud the test part.")
    var data: String
    @Option(help: "I/N: every N-th image from the I-th on is this worker's part.") var shard: Shard?
    @Option(help: "Use the first images of the part only.") var samples: Int?
    @Option(help: "URL of a node's API; may be repeated, for when one is down.")
    var node: [String] = []
    @Option(help: "HOST:PORT that other workers reach this one at; port 0 takes a free one.")
    var listen: String = "127.0.0.1:0"
    @Option(help: "The host to publish, where it differs from the one to listen on.") var publicHost: String?
    @Option(help: "Name of the key, in the folder of --keys.") var key: String
    @Option(help: "Folder with key files (EDGEPROOF_KEYS, else ~/.edgeproof/keys).") var keys: String?
    @Option(help: "A file of mode 0600 whose first line opens the key.") var passphraseFile: String?
    @Option(help: "Folder for what must survive a crash (default ~/.edgeproof/worker/JOB-KEY).") var state: String?
    @Option(help: "Where the cloud writes the final model.") var model: String?
    @Option(help: "Threads for training; the results are the same for any number.") var threads: Int = 1
    @Flag(help: "One JSON document a line instead of text.") var json = false

    func validate() throws {
        guard ServiceId(job) != nil, !job.isEmpty else { throw ValidationError("--job takes 1 to 32 bytes") }
        guard (1...64).contains(threads) else { throw ValidationError("--threads takes 1 to 64") }
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
        let printer = EventPrinter(json: json)
        do {
            let worker = Worker(configuration: try settings()) { printer.print($0) }
            try await ProgramSupport.untilStopped { try await worker.run() }
        } catch let error as ExitCode {
            throw error
        } catch {
            FileHandle.standardError.write(Data("error: \(error)\n".utf8))
            throw ExitCode.failure
        }
    }

    private func settings() throws -> WorkerConfiguration {
        let environment = ProcessInfo.processInfo.environment
        let home = FileManager.default.homeDirectoryForCurrentUser
        let directory = KeyDirectory(
            path: keys ?? environment["EDGEPROOF_KEYS"] ?? home.appending(path: ".edgeproof/keys").path)
        let passphrase = try Passphrase.find(file: passphraseFile, for: key)
        let (host, port) = try address()
        var images = try ImageFiles.load(data, part: role == .cloud ? .test : .train, limit: nil)
        if let shard { images = try images.shard(shard.index, of: shard.count) }
        if let samples { images = try images.prefix(min(max(1, samples), images.count)) }
        let urls = node.isEmpty ? environment["EDGEPROOF_NODE"].map { [$0] } ?? [NodeAddress.standard.url] : node
        let state = state.map { URL(filePath: $0, directoryHint: .isDirectory) }
            ?? home.appending(path: ".edgeproof/worker/\(job)-\(key)")
        return WorkerConfiguration(
            job: ServiceId(job) ?? .chain, role: role.role, key: try directory.open(key, passphrase: passphrase),
            nodes: try urls.map { try NodeAddress($0) }, host: host, port: port, publicHost: publicHost, data: images,
            stateFolder: state, modelFile: model.map { URL(filePath: $0) }, threads: threads)
    }
}

enum WorkerRole: String, ExpressibleByArgument, CaseIterable {
    case cloud, edge

    var role: Role { self == .cloud ? .cloud : .edge }
}

struct Shard: ExpressibleByArgument {
    let index: Int
    let count: Int

    init?(argument: String) {
        let parts = argument.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
        guard parts.count == 2, let index = parts[0], let count = parts[1], count > 0, (0..<count).contains(index) else {
            return nil
        }
        self.index = index
        self.count = count
    }
}
