import APIModel
import Cryptography
import Encoding
import JobProtocol
import Primitives
import ProgramSupport

/// Says what the bytes of a transaction or an event mean, where their form is known: the chain's own actions, and those
/// of a training job. Bytes that have another form have no meaning here, and are shown as they are.
package enum Meaning {
    /// - Parameter kind: of the service that the transaction is for; nil where nobody registered it.
    package static func of(_ transaction: Transaction, kind: String?) -> MeaningDocument? {
        if transaction.serviceId == .chain { return try? chain(transaction) }
        if kind == "job" { return try? job(transaction) }
        return nil
    }

    private static func chain(_ transaction: Transaction) throws -> MeaningDocument? {
        let data = transaction.data
        switch transaction.actionId {
        case .transfer:
            let transfer = try Transfer(borsh: data)
            return MeaningDocument(
                "sent \(Digits.money(transaction.value))",
                [
                    .init("to", transfer.recipient.description, .account),
                    .init("amount", String(transaction.value), .number),
                ])
        case .uploadContract:
            return MeaningDocument(
                "put contract code of \(data.count) bytes on the chain",
                [.init("code hash", Digest(sha256: data).hex, .hash)])
        case .registerService:
            let registration = try RegisterService(borsh: data)
            let name = PrintableBytes.text(registration.service.bytes)
            return MeaningDocument(
                "registered the \(registration.kind) '\(name)'",
                [
                    .init("service", name, .service), .init("kind", registration.kind),
                    .init("code hash", registration.codeHash.hex, .hash),
                    .init("deposit", String(transaction.value), .number),
                ] + (registration.validator.map { [.init("validator", $0.description, .account)] } ?? []))
        case .upgradeService, .transferService, .retireService: return try service(transaction)
        case .registerMasternode:
            let registration = try RegisterMasternode(borsh: data)
            return MeaningDocument(
                "registered the masternode '\(registration.name)'",
                [
                    .init("masternode", registration.consensusKey.hex, .masternode),
                    .init("collateral", String(transaction.value), .number),
                ])
        case .unregisterMasternode:
            return MeaningDocument(
                "took a masternode out",
                [.init("masternode", try MasternodeReference(borsh: data).consensusKey.hex, .masternode)])
        case .resumeMasternode:
            return MeaningDocument(
                "brought a masternode back",
                [.init("masternode", try MasternodeReference(borsh: data).consensusKey.hex, .masternode)])
        case .voteProposal:
            let ballot = try Ballot(borsh: data)
            return MeaningDocument(
                "voted \(ballot.approves ? "for" : "against") proposal \(PrintableBytes.text(transaction.postId.bytes))"
            )
        case .proposeChange:
            let proposal = try ProposeChange(borsh: data)
            return MeaningDocument(
                "proposed a change of the chain", [.init("from epoch", proposal.from.description, .number)])
        case .accuse:
            let accusation = try Accusation(borsh: data)
            guard let subject = accusation.subject else { return nil }
            return MeaningDocument(
                "said that a worker's step is false",
                [
                    .init("accused", subject.sender.description, .account),
                    .init("service", PrintableBytes.text(accusation.service.bytes), .service),
                    .init("round", String(subject.round), .number), .init("step", String(subject.step), .number),
                    .init("signed", accusation.claim.hex, .hash),
                ])
        case .narrowDispute:
            let move = try DisputeMove(borsh: data)
            return MeaningDocument(
                move.list.isEmpty ? "called the jury" : "showed \(move.list.count) digests of what it computed",
                [
                    .init("accused", move.accused.description, .account),
                    .init("service", PrintableBytes.text(move.service.bytes), .service),
                ])
        case .judgeDispute:
            let vote = try DisputeVote(borsh: data)
            return MeaningDocument(
                "voted in a jury: \(vote.vote)",
                [
                    .init("accused", vote.accused.description, .account),
                    .init("service", PrintableBytes.text(vote.service.bytes), .service),
                ])
        case .renewBeacon:
            let renewal = try RenewBeacon(borsh: data)
            return MeaningDocument(
                "gave its masternode a new hash chain, number \(renewal.generation)",
                [.init("tip", renewal.tip.hex, .hash)])
        case .lockMoney:
            return MeaningDocument("locked \(Digits.money(transaction.value)) that back the verdicts of its jobs")
        case .unlockMoney:
            let amount = try UnlockMoney(borsh: data).amount
            return MeaningDocument(
                amount == 0 ? "took back what was free of its lock" : "asked \(Digits.money(amount)) of its lock back")
        case .cancelTransaction:
            return MeaningDocument(
                "cancelled a waiting transaction",
                [.init("transaction", try CancelTransaction(borsh: data).id.hex, .hash)])
        case .removeContract:
            return MeaningDocument(
                "took contract code off the chain",
                [.init("code hash", try RemoveContract(borsh: data).codeHash.hex, .hash)])
        case .inviteMembers:
            let invitation = try InviteMembers(borsh: data)
            var fields = [MeaningDocument.Field("service", PrintableBytes.text(invitation.service.bytes), .service)]
            for account in invitation.accounts {
                fields.append(MeaningDocument.Field("account", account.description, .account))
            }
            return MeaningDocument(
                invitation.invites ? "invited accounts" : "took back the invitations of accounts", fields)
        case .reportEquivocation: return MeaningDocument("showed that a masternode contradicted itself")
        default: return nil
        }
    }

    /// What an owner does with a service.
    private static func service(_ transaction: Transaction) throws -> MeaningDocument {
        let name: ServiceId
        let words: String
        var fields: [MeaningDocument.Field] = []
        switch transaction.actionId {
        case .upgradeService:
            let order = try UpgradeService(borsh: transaction.data)
            name = order.service
            switch order.step {
            case .announce(let hash):
                words = "announced new code for"
                fields = [.init("code hash", hash.hex, .hash)]
            case .apply(let hash, _):
                words = "exchanged the code of"
                fields = [.init("code hash", hash.hex, .hash)]
            case .withdraw: words = "took back the upgrade of"
            }
        case .transferService:
            let order = try TransferService(borsh: transaction.data)
            name = order.service
            switch order.step {
            case .offer(let account):
                words = "offered"
                fields = [.init("to", account.description, .account)]
            case .accept: words = "took over"
            case .withdraw: words = "took back the offer of"
            }
        default:
            let order = try RetireService(borsh: transaction.data)
            name = order.service
            words =
                switch order.step {
                case .announce: "announced the end of"
                case .apply: "ended"
                case .withdraw: "took back the end of"
                }
        }
        let text = PrintableBytes.text(name.bytes)
        return MeaningDocument("\(words) the service '\(text)'", [.init("service", text, .service)] + fields)
    }

    private static func job(_ transaction: Transaction) throws -> MeaningDocument? {
        let data = transaction.data
        let post = PrintableBytes.text(transaction.postId.bytes)
        switch transaction.actionId {
        case .applicationTask:
            let application = try JobApplication(borsh: data)
            return MeaningDocument(
                "applied for a place as \(application.role)", [.init("samples", String(application.samples), .number)])
        case .postSecondLayerId:
            let identity = try JobIdentity(borsh: data)
            return MeaningDocument(
                "said how it is reached: \(identity.endpoint)", [.init("endpoint", identity.endpoint)])
        case .reservingConfirmation: return MeaningDocument("confirmed its place")
        case .releaseRelation:
            guard let release = try? JobRelease(borsh: data), release.account != transaction.sender else {
                return MeaningDocument("left the job")
            }
            return MeaningDocument("released a worker", [.init("worker", release.account.description, .account)])
        case .paymentRequester:
            return MeaningDocument(
                "paid \(Digits.money(transaction.value)) into the job",
                [.init("amount", String(transaction.value), .number)])
        case .paymentWorkerSignature: return MeaningDocument("took its pay")
        case .pauseJob: return MeaningDocument("paused the job")
        case .resumeJob: return MeaningDocument("let the job go on")
        case .abortJob: return MeaningDocument("ended the job")
        case .commitmentTask: return try result(data, post)
        default: return nil
        }
    }

    /// Action 6: which step of the round it is stands in the post.
    private static func result(_ data: [UInt8], _ post: String) throws -> MeaningDocument? {
        let parts = post.split(separator: "/")
        guard parts.count == 2, let round = parts.first?.dropFirst(), let number = UInt32(round) else { return nil }
        let shown = "round \(number)"
        switch parts[1] {
        case "c":
            return MeaningDocument(
                "committed to its result of \(shown)",
                [.init("commitment", try JobCommitment(borsh: data).commitment.hex, .hash)])
        case "e":
            return MeaningDocument(
                "committed to its score of \(shown)",
                [.init("commitment", try JobCommitment(borsh: data).commitment.hex, .hash)])
        case "r":
            let reveal = try JobReveal(borsh: data)
            return MeaningDocument(
                "showed its result of \(shown)",
                [
                    .init("loss", String(reveal.lossMicro), .micro), .init("model part", reveal.artifact.hex, .hash),
                    .init("digests of the steps", reveal.stepsRoot.hex, .hash), .init("kept at", reveal.location),
                    .init("partners", String(reveal.partners.count), .number),
                ])
        case "v":
            let validation = try JobValidation(borsh: data)
            return MeaningDocument(
                "evaluated the model of \(shown)",
                [
                    .init("accuracy", String(validation.metricMicro), .micro),
                    .init("loss", String(validation.lossMicro), .micro),
                    .init("checkpoint", validation.checkpoint.hex, .hash),
                ])
        case "f":
            let complaint = try JobComplaint(borsh: data)
            return MeaningDocument(
                "complained of a message of \(shown)",
                [
                    .init("sender", complaint.sender.description, .account),
                    .init("step", String(complaint.step), .number),
                    .init("envelope", complaint.envelope.hex, .hash),
                ])
        case "o":
            let opening = try JobOpening(borsh: data)
            return MeaningDocument(
                "answered a complaint about \(shown)", [.init("complainer", opening.complainer.description, .account)])
        default: return nil
        }
    }

    /// Of an event of a training job's contract.
    package static func of(jobEvent event: Event) -> MeaningDocument? {
        switch event.topic {
        case JobEventTopic.round:
            guard let round = try? JobRound(borsh: event.data) else { return nil }
            return MeaningDocument(
                "round \(round.round) closed: \(round.outcome)",
                [
                    .init("accuracy", String(round.metricMicro), .micro),
                    .init("loss", String(round.lossMicro), .micro),
                    .init("delivered", String(round.participants), .number),
                    .init("credited", String(round.credited), .number),
                    .init("paid", String(round.paid), .number), .init("checkpoint", round.checkpoint.hex, .hash),
                ])
        case JobEventTopic.complaint:
            guard let complaint = try? JobOpenComplaint(borsh: event.data) else { return nil }
            return MeaningDocument(
                "a complaint is open",
                [.init("step", String(complaint.step), .number), .init("envelope", complaint.envelope.hex, .hash)])
        case JobEventTopic.phase:
            guard let phase = try? JobPhaseEvent(borsh: event.data) else { return nil }
            return MeaningDocument("round \(phase.round): \(phase.phase)")
        case JobEventTopic.dispute:
            guard event.data.count == 67, let accused = Account(event.data[32..<64]) else { return nil }
            let text =
                if let outcome = Dispute.Outcome(rawValue: event.data[66]) { "a dispute is over: \(outcome)" } else {
                    switch Dispute.Stage(rawValue: event.data[64]) {
                    case .answer: "a dispute: the accused's turn"
                    case .unfold: "a dispute: the accuser's turn"
                    case .vote: "a dispute: the jury's turn"
                    case nil: "a dispute"
                    }
                }
            return MeaningDocument(text, [.init("accused", accused.description, .account)])
        default: return nil
        }
    }
}
