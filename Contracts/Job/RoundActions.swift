// Action 6, by the item that `postId` names.

extension RoundMachine {
    func commitmentTask(_ act: JobAct) throws(Refusal) {
        guard let item = RoundItem(act.post) else {
            throw Refusal("postId is not r<round>/ and c, r, e, v, f or o")
        }
        try requireRunning()
        switch item.kind {
        case .commit: try commit(act, item.round)
        case .reveal: try reveal(act, item.round)
        case .scoreCommit: try commitScore(act, item.round)
        case .validation: try validate(act, item.round)
        case .complaint: try complain(act, item.round)
        case .opening: try open(act, item.round)
        }
    }

    /// A commitment to work that started from `base`'s checkpoint. Too late for the running round, it is in the next.
    private func commit(_ act: JobAct, _ base: UInt32) throws(Refusal) {
        let commitment: JobCommitment = try jobDecode(act.data, "commitment")
        let slot = try slot(of: act.caller)
        let target: UInt32
        switch state.phase {
        case .commit: target = state.round
        case .reveal, .validate, .score, .challenge: target = state.round &+ 1
        default: throw Refusal("no round is running")
        }
        guard state.active.contains(slot), !state.devices.contains(slot) else {
            throw Refusal("this account does not take part in the round")
        }
        guard !(state.committed | state.late).contains(slot) else { throw Refusal("committed already") }
        let limit = spec.mode == .synchronous ? JobStaleness.mostSynchronous : JobStaleness.most
        guard base <= state.round, target &- base <= limit else {
            throw Refusal("another round is running")
        }
        // A cloud's work is the round itself.
        if state.clouds.contains(slot) {
            guard target == state.round, base == target, slot == state.lead else {
                throw Refusal("another cloud leads, or the round's time is over")
            }
        }
        chain.set(Keys.work(slot), Work(commitment: commitment.commitment, base: base))
        if target == state.round {
            state.committed.insert(slot)
            if base == target { state.arrivals.record(chain.now &- min(state.since, chain.now)) }
            advanceIfComplete()
        } else {
            state.late.insert(slot)
        }
    }

    private func reveal(_ act: JobAct, _ base: UInt32) throws(Refusal) {
        let reveal: JobReveal = try jobDecode(act.data, "reveal")
        guard state.phase == .reveal else { throw Refusal("the job is not in the reveal phase") }
        let slot = try slot(of: act.caller)
        guard state.committed.contains(slot) else { throw Refusal("this account has not committed") }
        guard !state.revealed.contains(slot) else { throw Refusal("revealed already") }
        guard var work = chain.get(Keys.work(slot)), work.base == base,
            reveal.commitment(job: chain.contract, round: base, sender: act.caller).commitment == work.commitment
        else { throw Refusal("it does not open the commitment") }
        if slot == state.lead {
            guard isAscending(reveal.partners) else { throw Refusal("its partners are not ascending") }
            chain.set(Keys.partners, JobPartners(round: state.round, reveal.partners))
        } else if !reveal.partners.isEmpty {
            throw Refusal("the cloud alone names partners")
        }
        work.stepsRoot = reveal.stepsRoot
        work.artifact = reveal.artifact
        chain.set(Keys.work(slot), work)
        state.revealed.insert(slot)
        advanceIfComplete()
    }

    /// One entry for each place.
    private func isAscending(_ partners: [JobPartner]) -> Bool {
        var last: UInt16?
        for partner in partners {
            if let last, last >= partner.index { return false }
            last = partner.index
        }
        return true
    }

    // MARK: The committee

    private func commitScore(_ act: JobAct, _ round: UInt32) throws(Refusal) {
        let commitment: JobCommitment = try jobDecode(act.data, "commitment")
        guard state.phase == .validate, round == state.round, spec.committee.size > 1 else {
            throw Refusal("no committee commits to scores of this round now")
        }
        let seat = try seat(of: act.caller)
        guard !state.bids.contains(seat) else { throw Refusal("committed already") }
        chain.set(Keys.bid(seat), commitment.commitment)
        state.bids.insert(seat)
        if state.bids.count >= UInt16(spec.committee.size) { advanceNow() }
    }

    private func validate(_ act: JobAct, _ round: UInt32) throws(Refusal) {
        let score: JobValidation = try jobDecode(act.data, "validation")
        let isAlone = spec.committee.size == 1
        guard state.phase == (isAlone ? .validate : .score), round == state.round else {
            throw Refusal("no validation of this round is due")
        }
        let seat = try seat(of: act.caller)
        guard !state.scores.contains(seat) else { throw Refusal("validated already") }
        guard score.metricMicro <= 1_000_000 else { throw Refusal("the metric is above 1000000") }
        if !isAlone {
            guard state.bids.contains(seat), let bid = chain.get(Keys.bid(seat)),
                score.commitment(job: chain.contract, round: round, sender: act.caller).commitment == bid
            else { throw Refusal("it does not open the commitment") }
        }
        chain.set(Keys.score(seat), score)
        state.scores.insert(seat)
        if isAlone || state.bids.isSubset(of: state.scores) { advanceNow() }
    }

    private func seat(of account: Account) throws(Refusal) -> UInt8 {
        guard let seat = chain.get(Keys.committee)?.seat(of: account) else {
            throw Refusal("this account is not in the round's committee")
        }
        return seat
    }

    // MARK: Complaints

    /// The receiver of an envelope that can't be opened, or holds another payload than its commitment says. The
    /// sender's signature shows that it sent it, so that nobody has to answer for what it did not send.
    private func complain(_ act: JobAct, _ round: UInt32) throws(Refusal) {
        let complaint: JobComplaint = try jobDecode(act.data, "complaint")
        guard state.phase == .commit || state.phase == .reveal, round == state.round else {
            throw Refusal("the round takes no complaints now")
        }
        let slot = try slot(of: act.caller)
        let accused = try self.slot(of: complaint.sender)
        guard state.active.contains(slot), state.active.contains(accused), slot != accused else {
            throw Refusal("both sides take part in the round")
        }
        guard !state.complained.contains(slot) else {
            throw Refusal("one complaint a round and worker is taken")
        }
        guard let receiver = chain.get(Keys.participant(slot)),
            let context = signedContext(complaint, round: round, receiver: receiver)
        else { throw Refusal("the sender has not signed this envelope for this receiver") }
        let open = JobOpenComplaint(
            complainer: slot, accused: accused, step: complaint.step, envelope: complaint.envelope, context: context,
            isOpened: false)
        chain.set(Keys.complaint(slot), open)
        state.complained.insert(slot)
        state.unopened &+= 1
        chain.emit("complaint", open)
    }

    /// The digest of the envelope's context, if the accused signed it in this round of this job, for this receiver.
    private func signedContext(_ complaint: JobComplaint, round: UInt32, receiver: Participant) -> Digest? {
        let context = complaint.context
        let count = context.byteCount
        guard count >= 136, jobField(context, at: 32) == jobDigest(of: chain.contract),
            jobWord(context, at: 64) == round, jobWord(context, at: 68) == complaint.step,
            jobField(context, at: count &- 64) == jobDigest(of: complaint.sender),
            isKey(jobField(context, at: count &- 32), of: receiver)
        else { return nil }
        let digest = jobDigest("edgeproof/envelope/1") { encoder in encoder.fixed(context) }
        var message = BorshEncoder()
        message.fixed(jobBytes(jobText("edgeproof/envelope-signature/1")))
        message.value(jobField(context, at: 0))
        message.value(digest)
        message.value(complaint.envelope)
        message.value(complaint.sealed)
        let isSigned = chain.isSigned(
            message.bytes, complaint.signatureStart, complaint.signatureEnd, by: complaint.sender)
        return isSigned ? digest : nil
    }

    /// Its newest key, or the one before it: keys change while envelopes are under way.
    private func isKey(_ key: Digest, of receiver: Participant) -> Bool {
        key == jobDigest(of: receiver.kemPublicKey) || key == jobDigest(of: receiver.previousKey)
    }

    private func jobWord(_ bytes: JobBytes, at offset: Int) -> UInt32 {
        var word: UInt32 = 0
        for place in 0..<4 { word |= UInt32(bytes[offset &+ place]) << UInt32(8 &* place) }
        return word
    }

    /// The accused sender opens its commitment: neither side is at fault then, unless the committee, which gets the
    /// payload, finds the complaint unfounded.
    private func open(_ act: JobAct, _ round: UInt32) throws(Refusal) {
        let opening: JobOpening = try jobDecode(act.data, "opening")
        guard round == state.round else { throw Refusal("another round is running") }
        let slot = try slot(of: act.caller)
        guard let complainer = chain.get(Keys.slot(of: opening.complainer)), state.complained.contains(complainer),
            let old = chain.get(Keys.complaint(complainer)), old.accused == slot, !old.isOpened
        else { throw Refusal("nobody waits for it") }
        guard jobDigest("", { encoder in
            encoder.value(old.context)
            encoder.value(opening.payload)
            encoder.value(opening.salt)
        }) == old.envelope else {
            throw Refusal("it does not open the envelope")
        }
        let opened = JobOpenComplaint(
            complainer: old.complainer, accused: old.accused, step: old.step, envelope: old.envelope,
            context: old.context, isOpened: true)
        chain.set(Keys.complaint(complainer), opened)
        state.unopened = state.unopened &- min(1, state.unopened)
        chain.emit("complaint", opened)
        if state.phase == .challenge, state.unopened == 0 { advanceNow() }
    }
}

/// The item of a round that a `postId` names: "r<round>/" and a letter.
struct RoundItem {
    let round: UInt32
    let kind: JobItem

    /// Decimal without leading zeros: one round has one name.
    init?(_ post: JobBytes) {
        let count = post.byteCount
        guard count >= 4, count <= 13, post[0] == 0x72, post[count &- 2] == 0x2F,
            let kind = JobItem(rawValue: post[count &- 1]), count == 4 || post[1] != 0x30
        else { return nil }
        var round: UInt64 = 0
        for place in 1..<count &- 2 {
            let digit = post[place]
            guard digit >= 0x30, digit <= 0x39 else { return nil }
            round = round &* 10 &+ UInt64(digit &- 0x30)
        }
        guard let round = UInt32(exactly: round) else { return nil }
        self.round = round
        self.kind = kind
    }
}
