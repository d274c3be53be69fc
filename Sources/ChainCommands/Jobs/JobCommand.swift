import APIModel
import ArgumentParser
import ChainClient
import Foundation
import JobProtocol
import Primitives
import ProgramSupport

struct JobCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "job", abstract: "Register training jobs and follow them.",
        discussion: "Example: chain-cli job register digits.yaml --contract job.wasm --from owner",
        subcommands: [
            Check.self, Register.self, List.self, Show.self, Watch.self, Model.self, Fund.self, Withdraw.self,
            Pause.self,
            Resume.self, Abort.self,
        ])

    struct Register: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Register a job from a specification.",
            discussion: """
                The specification is YAML: id, edges, rounds, stepsPerRound, batchSize, learningRate, openTimeout, \
                commitMin, commitMax, revealTimeout, validateTimeout and validator are needed; title, protocol, model, \
                quorum, epsilon, seed, inputAudit, validationSamples and deposit have defaults. Times are written as \
                500ms, 30s, 2min or 1h.

                Example: chain-cli job register digits.yaml --contract job.wasm --from owner
                """)

        @Argument(help: "The specification, a YAML file.") var spec: String
        @Option(help: "Name of the job, in the place of the specification's id.") var id: String?
        @Option(
            help: ArgumentHelp(
                "The job contract. Default: EDGEPROOF_JOB_CONTRACT, else \(Jobs.builtContract).", valueName: "file"))
        var contract: String?
        @OptionGroup var sending: SendingOptions
        @OptionGroup var global: GlobalOptions

        func validate() throws { try sending.refuseSequence() }

        func run() async throws {
            let text = String(decoding: try Arguments.file(spec, limit: 65_536), as: UTF8.self)
            let file = try JobSpecFile(yaml: text, id: id) { try global.account($0) }
            let path = try Jobs.contractPath(contract)
            let code = try Contracts.read(path)
            let sender = try await global.sender(sending.from)
            try JobRehearsal.check(
                file, code: code, contract: path, owner: sender.account, genesis: try await sender.client.genesis())
            try await NameCheck.require(
                file.service, deposit: file.deposit, owner: sender.account, code: code, sender.client)
            if sender.account == file.validator {
                Console.error("note: the validator is the owner, so the job's verdicts will not count for reputation")
            }
            let terms = sending.terms
            let registered = try await Progress.during("registering the job") {
                try await sender.register(
                    file.service, code: code, kind: Jobs.kind, validator: file.validator,
                    sponsorship: file.sponsorship, initData: file.spec.borsh, deposit: file.deposit,
                    gasLimit: terms.gas,
                    timeout: terms.timeout)
            }
            let document = RegisteredDocument(registered)
            global.show(
                document,
                document.text
                    + "\n\nworkers join with: chain-worker run --job \(Format.label(file.service)) --role edge ...\n"
                    + "follow it with:    chain-cli job watch \(Format.label(file.service))")
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the jobs.", discussion: "Example: chain-cli job list")

        @OptionGroup var global: GlobalOptions

        struct Document: Encodable {
            let jobs: [JobDocument]
            /// Services that call themselves jobs and do not answer as one.
            let broken: [Broken]
        }

        struct Broken: Encodable {
            let service: ServiceDocument
            let reason: String
        }

        func run() async throws {
            let client = try global.client()
            var jobs: [JobDocument] = []
            var broken: [Broken] = []
            var table = Table([
                .left("job"), .left("phase"), .right("rounds"), .right("accuracy"), .left("owner"),
            ])
            for service in try await client.services(kind: Jobs.kind) {
                let status: JobStatus
                do { status = try await client.jobStatus(service.id) } catch let error as ClientError
                    where !error.isTransient
                {
                    // A service may call itself a job without being one: whoever looks for work must see that.
                    broken.append(Broken(service: service, reason: Jobs.brokenReason))
                    table.add(
                        Format.label(service.id), "BROKEN: its contract is no job", "", "", service.owner.description)
                    continue
                }
                jobs.append(JobDocument(service: service, status: status))
                table.add(
                    Format.label(service.id), status.phase.description,
                    "\(Jobs.closedRounds(status))/\(status.spec.rounds)",
                    Format.percent(micro: status.metricMicro), service.owner.description)
            }
            global.show(Document(jobs: jobs, broken: broken), table.text(none: "no jobs are registered"))
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a job: its terms, where it stands, who takes part, its rounds.",
            discussion: "Example: chain-cli job show digits")

        @Argument(help: "Name of the job.") var job: String
        @OptionGroup var global: GlobalOptions

        func run() async throws {
            let document = try await Jobs.read(try Arguments.service(job), global.client())
            global.show(document, JobTables.text(document))
        }
    }

    struct Watch: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Follow a job until it has finished or was aborted.",
            discussion: """
                Prints a line for every closed round. With --json it prints the job as it is at the end. Ends with 1 if \
                the job was aborted.

                Example: chain-cli job watch digits --timeout 600
                """)

        @Argument(help: "Name of the job.") var job: String
        @Option(help: ArgumentHelp("Give up after this time, in seconds; never without it.", valueName: "seconds"))
        var timeout: UInt32?
        @Option(
            help: ArgumentHelp("Also write the closed rounds as TensorBoard's event files there.", valueName: "dir"))
        var tensorboard: String?
        @OptionGroup var global: GlobalOptions

        func run() async throws {
            let name = try Arguments.service(job)
            let client = try global.client()
            let tensorboard = tensorboard
            guard let timeout else { return try await JobWatch.run(name, client, global, tensorboard: tensorboard) }
            try await withThrowingTaskGroup(of: Bool.self) { group in
                group.addTask {
                    try await JobWatch.run(name, client, global, tensorboard: tensorboard)
                    return true
                }
                group.addTask {
                    try await Task.sleep(for: .seconds(Int64(timeout)))
                    return false
                }
                defer { group.cancelAll() }
                if try await group.next() == false {
                    throw Refused("timeout", "the job '\(job)' was not over after \(timeout) s")
                }
            }
        }
    }

    struct Pause: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Pause a job: its owner can.", discussion: "Example: chain-cli job pause digits --from owner")

        @Argument(help: "Name of the job.") var job: String
        @OptionGroup var sending: SendingOptions
        @OptionGroup var global: GlobalOptions

        func run() async throws { try await Jobs.act(.pauseJob, on: job, sending, global) }
    }

    struct Resume: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let a paused job go on.", discussion: "Example: chain-cli job resume digits --from owner")

        @Argument(help: "Name of the job.") var job: String
        @OptionGroup var sending: SendingOptions
        @OptionGroup var global: GlobalOptions

        func run() async throws { try await Jobs.act(.resumeJob, on: job, sending, global) }
    }

    struct Abort: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End a job for good: its owner can.",
            discussion: "Example: chain-cli job abort digits --from owner --yes")

        @Argument(help: "Name of the job.") var job: String
        @OptionGroup var confirmation: ConfirmationOptions
        @OptionGroup var sending: SendingOptions
        @OptionGroup var global: GlobalOptions

        func run() async throws {
            try confirmation.require("ending the job '\(job)'")
            try await Jobs.act(.abortJob, on: job, sending, global)
        }
    }
}

enum Jobs {
    static let kind = "job"
    static let brokenReason = "its contract does not answer as one, so that whoever works for it works for nothing"
    /// Where `Contracts/build` puts it, seen from the product's folder.
    static let builtContract = "Contracts/.build/job.wasm"

    static func contractPath(_ given: String?) throws -> String {
        if let given { return given }
        if let path = Environment.value("EDGEPROOF_JOB_CONTRACT") { return path }
        // As 'scripts/setup --prefix' lays it out, beside the program.
        let program = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        let installed = program.deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "share/edgeproof/contracts/job.wasm").path
        if !FileManager.default.fileExists(atPath: builtContract), FileManager.default.fileExists(atPath: installed) {
            return installed
        }
        guard FileManager.default.fileExists(atPath: builtContract) else {
            throw UsageError("say where the job contract is with --contract FILE; Contracts/build makes it")
        }
        return builtContract
    }

    static func act(
        _ action: ActionId, on job: String, value: UInt128 = 0, _ sending: SendingOptions, _ global: GlobalOptions
    ) async throws {
        let request = TransactionRequest(
            service: try Arguments.service(job), action: action, value: value, gasLimit: sending.gas)
        let sender = try await global.sender(sending.from)
        try await Sending.perform(request, from: sender, sending, wait: true, global)
    }

    /// The service and what its contract says of the job.
    static func running(
        _ name: ServiceId, _ client: ChainClient
    ) async throws -> (service: ServiceDocument, status: JobStatus) {
        guard let service = try await client.service(name) else {
            throw await client.noSuchService(name)
        }
        guard service.kind == kind else {
            throw Refused("not_a_job", "the service '\(Format.label(name))' is of kind '\(service.kind)', not a job")
        }
        let status: JobStatus
        do { status = try await client.jobStatus(name) } catch let error as ClientError where !error.isTransient {
            throw Refused("not_a_job", "the service '\(Format.label(name))' calls itself a job: \(brokenReason)")
        }
        return (service, status)
    }

    static func read(_ name: ServiceId, _ client: ChainClient) async throws -> JobDocument {
        let (service, status) = try await running(name, client)
        return JobDocument(
            service: service, status: status,
            participants: try await client.jobParticipants(name), rounds: try await client.jobHistory(name))
    }

    static func closedRounds(_ status: JobStatus) -> UInt32 {
        status.phase == .finished ? status.spec.rounds : min(status.round, status.spec.rounds)
    }
}
