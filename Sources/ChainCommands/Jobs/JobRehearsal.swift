import ChainClient
import Cryptography
import JobProtocol
import Ledger
import Primitives

/// Tries a registration here, by the code that the chain runs, before anything is paid: a contract that is no job takes
/// a deposit as readily as one that is.
enum JobRehearsal {
    /// - Parameter contract: where the code came from, for the message.
    static func check(_ file: JobSpecFile, code: [UInt8], contract: String, owner: Account, genesis: Genesis) throws {
        let registration = RegisterService(
            service: file.service, codeHash: Digest(sha256: code), kind: Jobs.kind, validator: file.validator,
            initData: file.spec.borsh)
        let rehearsal = try Ledger(genesis: genesis).rehearse(
            registration, code: code, owner: owner, deposit: file.deposit, queries: [JobQuery.status.input])
        if let refusal = rehearsal.refusal {
            throw UsageError("the chain would refuse this job, so nothing was sent: \(refusal)")
        }
        guard case .returned(let bytes)? = rehearsal.answers.first, let status = try? JobStatus(borsh: bytes),
            status.spec == file.spec
        else {
            throw UsageError(
                "\(contract) is no job contract: it took the specification and does not answer as a job. Nothing was sent. "
                    + "Contracts/build makes the job contract, \(Jobs.builtContract)")
        }
    }
}
