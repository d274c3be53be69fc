import APIModel
import ArgumentParser
import ChainClient
import JobProtocol
import Primitives

/// Money into a job and out of it again.
extension JobCommand {
    struct Fund: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Pay money into a job's escrow, out of which its rounds are paid.",
            discussion: """
                A round begins only when the escrow covers it; a job that paused for want of money goes on. What no \
                round has earned is the owner's again when the job is over: see 'job withdraw'.

                Example: chain-cli job fund digits 5,000,000 --from owner
                """)

        @Argument(help: "Name of the job.") var job: String
        @Argument(help: "Smallest units of money.") var amount: String
        @OptionGroup var sending: SendingOptions
        @OptionGroup var global: GlobalOptions

        func run() async throws {
            let value = try Arguments.amount(amount, "the amount")
            guard value > 0 else { throw UsageError("the amount is 0: there is nothing to pay in") }
            try await Jobs.act(.paymentRequester, on: job, value: value, sending, global)
        }
    }

    struct Withdraw: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take what you have earned in a job, and when it is over your bond; its owner also the rest.",
            discussion: """
                Workers do this by themselves when a job ends. An owner whose job is over gets what nobody earned, and \
                of the deposit what the job does not need any more; what its last calls in the queue hold comes when \
                their time has come, and can be taken then. Ends with 1 where nothing is due.

                Example: chain-cli job withdraw digits --from edge-1
                """)

        @Argument(help: "Name of the job.") var job: String
        @OptionGroup var sending: SendingOptions
        @OptionGroup var global: GlobalOptions

        struct Document: Encodable {
            @AddressText var account: Account
            /// What came out of the job's contract.
            @DecimalText var amount: UInt128
            let transactions: [TransactionStateDocument]
        }

        func run() async throws {
            let name = try Arguments.service(job)
            let sender = try await global.sender(sending.from)
            let before = try await Jobs.running(name, sender.client)
            let owed = try await sender.client.jobOwed(name, to: sender.account)
            var actions: [ActionId] = owed > 0 ? [.paymentWorkerSignature] : []
            // What is on the contract's account beyond what others can take; some of it may be locked for its state.
            let rest = before.service.balance.subtractingReportingOverflow(before.status.owed)
            if sender.account == before.service.owner, before.status.phase.isOver, !rest.overflow, rest.partialValue > 0
            {
                actions.append(.paymentRequester)
            }
            guard !actions.isEmpty else {
                throw Refused("nothing_due", Self.nothing(in: job, for: sender.account, before.service, before.status))
            }
            guard actions.count == 1 || sending.sequence == nil else {
                throw UsageError("two transactions are needed, so that --sequence can't name them: leave it out")
            }
            var done: [TransactionStateDocument] = []
            for action in actions {
                let request = TransactionRequest(service: name, action: action, gasLimit: sending.gas)
                let result = try await Sending.result(request, from: sender, sending)
                // After one's own pay the rest may be nothing but what backs others' bonds, which only the contract knows.
                if done.isEmpty { try Sending.requireEffect(result) }
                done.append(result)
            }
            let after = try await Jobs.running(name, sender.client)
            let gone = before.service.balance.subtractingReportingOverflow(after.service.balance)
            let amount = gone.overflow ? 0 : gone.partialValue
            global.show(
                Document(account: sender.account, amount: amount, transactions: done),
                "took \(Format.money(amount)) out of the job '\(job)'\n"
                    + done.map { "  in transaction \($0.transaction.id)" }.joined(separator: "\n"))
        }

        private static func nothing(
            in job: String, for account: Account, _ service: ServiceDocument, _ status: JobStatus
        ) -> String {
            let start = "nothing is due to \(account) in the job '\(job)'"
            if account == service.owner, !status.phase.isOver {
                return start + ": its owner gets the rest when it is over ('chain-cli job abort \(job)' ends it)"
            }
            return start + ": it has earned nothing that it has not taken; a bond is free when the job is over"
        }
    }
}

extension ChainClient {
    /// What an account can take out of a job now.
    func jobOwed(_ job: ServiceId, to account: Account) async throws -> UInt128 {
        let answer = try await query(job, input: JobQuery.owed.input(account))
        do { return try UInt128(borsh: answer.data) } catch {
            throw Refused(
                "not_a_job", "the service '\(Format.label(job))' does not answer what it owes: \(Jobs.brokenReason)")
        }
    }
}
