// Action 6, by the item that `postId` names: commit, reveal, validation, complaint.

extension Call {
    mutating func commitmentTask() {
        guard let item = RoundItem(postId: context.postId) else {
            Chain.fail("postId is not one of r<round>/c, r<round>/r, r<round>/v, r<round>/f")
        }
        switch item.kind {
        case .commit: commit(item)
        case .reveal: reveal(item)
        case .validation: validate(item)
        case .complaint: complain(item)
        }
    }

    private mutating func commit(_ item: RoundItem) {
        let commitment = context.decode(Digest.self, "commitment")
        require(item, in: .commit)
        let slot = slot("commit")
        guard state.active.contains(slot) else { item.refuse(reasonInactive(slot)) }
        guard !state.committed.contains(slot) else { item.refuse("committed already") }
        Storage.set(Keys.commitment(slot), commitment)
        state.committed.insert(slot)
        state.arrivals.record(context.time &- min(state.since, context.time))
        advanceIfComplete()
    }

    private mutating func reveal(_ item: RoundItem) {
        let reveal = context.decode(Reveal.self, "reveal")
        require(item, in: .reveal)
        let slot = slot("reveal")
        guard state.committed.contains(slot) else { item.refuse("this worker has not committed") }
        guard !state.revealed.contains(slot) else { item.refuse("revealed already") }
        let opened = reveal.commitment(job: context.contract, round: item.round, sender: context.caller)
        guard Storage.get(Keys.commitment(slot)) == opened else {
            item.refuse("it does not open the commitment")
        }
        Storage.set(Keys.result(slot), reveal.result)
        state.revealed.insert(slot)
        advanceIfComplete()
    }

    private mutating func validate(_ item: RoundItem) {
        let validation = context.decode(Validation.self, "validation")
        require(item, in: .validate)
        guard let spec = Storage.get(Keys.spec), context.caller == spec.validator else {
            item.refuse("only the job's validator validates")
        }
        guard !state.isValidated else { item.refuse("validated already") }
        guard validation.metricMicro <= 1_000_000 else { item.refuse("the metric is above 1000000") }
        Storage.set(Keys.validation, validation)
        state.isValidated = true
        advanceNow()
    }

    /// One party of a transfer says that it failed. It is recorded; the challenge phase that follows
    /// gives the other side, and people, time to look.
    private mutating func complain(_ item: RoundItem) {
        let complaint = context.decode(Complaint.self, "complaint")
        switch state.phase {
        case .commit, .reveal, .validate, .challenge: require(item, in: state.phase)
        default: require(item, in: .commit)
        }
        let slot = slot("complaint")
        guard state.active.contains(slot) else { item.refuse(reasonInactive(slot)) }
        guard context.caller == complaint.sender || context.caller == complaint.receiver else {
            item.refuse("only sender or receiver complain")
        }
        let other = context.caller == complaint.sender ? complaint.receiver : complaint.sender
        guard other != context.caller, let peer = Storage.get(Keys.slot(of: other)), state.roster.contains(peer) else {
            item.refuse("the other side is not in the roster")
        }
        guard let spec = Storage.get(Keys.spec), complaint.step <= spec.stepsPerRound else {
            item.refuse("a round has no step \(complaint.step)")
        }
        guard !state.complained.contains(slot) else { item.refuse("one complaint a round and worker is recorded") }
        state.complained.insert(slot)
        Chain.emit("complaint", complaint)
    }

    private func require(_ item: RoundItem, in phase: Phase) {
        guard !state.phase.isOver else { item.refuse("the job is \(state.phase.name)") }
        guard item.round == state.round else { item.refuse("the job is in round \(state.round)") }
        guard state.phase == phase else { item.refuse("the job is \(state.phase.name)") }
    }

    private func reasonInactive(_ slot: UInt8) -> Text {
        if state.suspended.contains(slot) { return "this worker is suspended; action 4 brings it back" }
        if state.released.contains(slot) { return "this worker has left" }
        if state.confirmed.contains(slot) { return "this worker is back from the next round on" }
        return "this worker is not in the roster"
    }
}

/// Data of a reveal.
struct Reveal: BorshCodable {
    let result: RoundResult
    let salt: Bytes32
    let lossMicro: UInt64
    /// Where the artefact can be fetched. Checked, not stored: whoever wants it has the transaction.
    let location: Bytes

    init(from reader: inout Reader) {
        result = RoundResult(from: &reader)
        salt = reader.bytes32()
        lossMicro = reader.integer()
        location = reader.string(limit: 128)
    }

    func encode(to writer: inout Writer) {
        writer.write(result)
        writer.write(salt)
        writer.write(lossMicro)
        writer.write(string: location)
    }

    /// The commitment that this opens. It names job, round and sender, so that nobody can commit
    /// to a copy of another's.
    func commitment(job: Account, round: UInt32, sender: Account) -> Digest {
        var preimage = Writer(capacity: 192)
        preimage.write(raw: Bytes("edgeproof/commit/1"))
        preimage.write(job)
        preimage.write(round)
        preimage.write(sender)
        preimage.write(result)
        preimage.write(salt)
        return Chain.sha256(preimage.bytes)
    }
}

/// Data of a complaint, and of its event.
struct Complaint: BorshCodable {
    let sender: Account
    let receiver: Account
    let step: UInt32
    /// The digest of the envelope that could not be opened, or did not match.
    let envelope: Digest

    init(from reader: inout Reader) {
        sender = Account(from: &reader)
        receiver = Account(from: &reader)
        step = reader.integer()
        envelope = Digest(from: &reader)
    }

    func encode(to writer: inout Writer) {
        writer.write(sender)
        writer.write(receiver)
        writer.write(step)
        writer.write(envelope)
    }
}
