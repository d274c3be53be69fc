// Actions 5, 2, 4 and 7: apply, say who one is, confirm, leave.

extension Call {
    /// Action 5, only while the job is open.
    mutating func apply() {
        let application = context.decode(Application.self, "application")
        requireOpen("application")
        let slot = placeForApplicant()
        Storage.set(
            Keys.participant(slot), Participant(account: context.caller, samples: application.samples))
        state.clouds.remove(slot)
        if application.isCloud { state.clouds.insert(slot) }
    }

    /// A new slot, or the old one of somebody who left and comes back.
    private mutating func placeForApplicant() -> UInt8 {
        if let slot = Storage.get(Keys.slot(of: context.caller)) {
            guard state.released.contains(slot) else {
                Chain.fail("application refused: \(context.caller) has applied already")
            }
            state.released.remove(slot)
            state.identified.remove(slot)
            return slot
        }
        guard state.applicants < SlotSet.capacity else {
            Chain.fail("application refused: \(SlotSet.capacity) have applied, no more fit")
        }
        let slot = state.applicants
        state.applicants &+= 1
        Storage.set(Keys.slot(of: context.caller), slot)
        return slot
    }

    /// Action 2, at any time before the end: KEM keys rotate, endpoints move.
    mutating func postIdentity() {
        let identity = context.decode(Identity.self, "identity")
        requireRunning("identity")
        let slot = slot("identity")
        guard !state.released.contains(slot) else { Chain.fail("identity refused: this worker has left") }
        guard var participant = Storage.get(Keys.participant(slot)) else {
            Chain.fail("identity refused: no such participant")
        }
        participant.kemPublicKey = identity.kemPublicKey
        participant.endpoint = identity.endpoint
        Storage.set(Keys.participant(slot), participant)
        state.identified.insert(slot)
    }

    /// Action 4: takes a place while the job is open; later it brings a suspended worker back.
    mutating func confirm() {
        context.expectNoInput("confirmation")
        requireRunning("confirmation")
        let slot = slot("confirmation")
        guard !state.released.contains(slot) else { Chain.fail("confirmation refused: this worker has left") }
        if state.suspended.contains(slot) { return comeBack(slot) }

        requireOpen("confirmation")
        guard !state.confirmed.contains(slot) else { Chain.fail("confirmation refused: confirmed already") }
        guard state.identified.contains(slot) else {
            Chain.fail("confirmation refused: publish a KEM key and an endpoint first (action 2)")
        }
        let isCloud = state.clouds.contains(slot)
        let taken = isCloud ? state.confirmed & state.clouds : state.confirmed - state.clouds
        guard let spec = Storage.get(Keys.spec) else { Chain.fail("the job is not initialised") }
        guard taken.count < (isCloud ? spec.clouds : spec.edges) else {
            Chain.fail("confirmation refused: all \(taken.count) places of this role are taken")
        }
        state.confirmed.insert(slot)
        if state.isRosterFull(spec) { advanceNow() }
    }

    private mutating func comeBack(_ slot: UInt8) {
        state.suspended.remove(slot)
        if state.phase == .commit {
            state.active.insert(slot)
        } else {
            // The running round goes on without it; the next one takes it in.
            state.confirmed.insert(slot)
        }
    }

    /// Action 7: leaves for good, except that while the job is open one may apply anew.
    mutating func release() {
        context.expectNoInput("release")
        requireRunning("release")
        let slot = slot("release")
        guard !state.released.contains(slot) else { Chain.fail("release refused: released already") }
        state.released.insert(slot)
        state.confirmed.remove(slot)
        state.active.remove(slot)
        state.suspended.remove(slot)
        state.missed.remove(slot)

        // Whoever leaves between commit and reveal is judged now, so that nobody waits for it.
        // What is revealed stays in the round.
        let phase = state.phase == .paused ? state.frozen : state.phase
        let owesReveal = state.committed.contains(slot) && !state.revealed.contains(slot)
        if owesReveal, phase == .commit || phase == .reveal {
            state.committed.remove(slot)
            Chain.verdict(.committedNotRevealed, about: context.caller, as: state.role(of: slot))
        }
        advanceIfComplete()
    }

    /// The phase may be complete now that nobody waits for somebody any more.
    func advanceIfComplete() {
        switch state.phase {
        case .commit where state.everyoneCommitted: advanceNow()
        case .reveal where state.everyoneRevealed: advanceNow()
        default: break
        }
    }

    private func requireOpen(_ what: StaticString) {
        guard state.phase == .open else {
            Chain.fail("\(what) refused: it is only for an open job, and this one is \(state.phase.name)")
        }
    }
}

/// Data of action 5.
struct Application: BorshCodable {
    let isCloud: Bool
    let samples: UInt32

    init(from reader: inout Reader) {
        let role = reader.integer(UInt8.self)
        guard role <= 1 else { reader.malformed("role is 0 (cloud) or 1 (edge)") }
        isCloud = role == 0
        samples = reader.integer()
    }

    func encode(to writer: inout Writer) {
        writer.write(isCloud ? 0 : 1 as UInt8)
        writer.write(samples)
    }
}

/// Data of action 2.
struct Identity: BorshCodable {
    /// X25519.
    let kemPublicKey: Bytes32
    /// host:port, in printable ASCII.
    let endpoint: Bytes

    init(from reader: inout Reader) {
        kemPublicKey = reader.bytes32()
        endpoint = reader.byteString(limit: 128)
        guard !endpoint.isEmpty, endpoint.allSatisfy({ 0x21...0x7E ~= $0 }) else {
            reader.malformed("an endpoint is host:port in printable ASCII")
        }
    }

    func encode(to writer: inout Writer) {
        writer.write(kemPublicKey)
        writer.write(string: endpoint)
    }
}
