/// # The training-job contract
///
/// Schedules and records the rounds of one distributed training job:
///
/// ```
/// registered -> open -> commit -> reveal -> validate -> challenge -> final -> (next) commit
///                          \________\___________\-> starved -> (next) commit
/// beside them: paused (and back), aborted, finished
/// ```
///
/// What it promises:
/// - **Rounds cannot hang.** Only scheduled calls change the phase, and every phase that waits has
///   a deadline in the schedule queue. Whatever anybody sends or omits, a next state comes.
/// - **A refused action changes nothing** and says why.
/// - **State is bounded**: 64 participants, 64 rounds of history, 16 arrival times.
/// - A call is judged by the state that it finds, so calls that come late, twice or for an older
///   phase do no harm.
///
/// Everything from outside is Borsh. `README.md` in the folder above lists actions and storage.
typealias Deployed = Job

enum Job: Contract {
    static func initialize(_ context: Context) {
        let spec = context.decode(JobSpec.self, "job specification")
        spec.check()
        Storage.set(Keys.spec, spec)
        // What comes with the registration is the service's deposit, not for the workers.
        let state = JobState(spec: spec, time: context.time)
        Storage.set(Keys.state, state)
        guard Deadlines.scheduleNow(state) else { Chain.fail("the schedule queue is full") }
    }

    static func action(_ context: Context) {
        var job = Call(context)
        job.refuseStrayValue()
        switch context.actionId {
        case 2: job.postIdentity()
        case 4: job.confirm()
        case 5: job.apply()
        case 6: job.commitmentTask()
        case 7: job.release()
        case 8: job.fundOrSettle()
        case 9: job.claimPay()
        case 256: job.request(.pause)
        case 257: job.request(.resume)
        case 258: job.request(.abort)
        default:
            Chain.fail("action \(context.actionId) is not a job's: 2, 4 to 9, and 256 to 258 for the owner")
        }
        job.save()
    }

    static func scheduled(_ context: Context) {
        // There is one entry. What the data says is a hint for people; the state decides.
        guard context.actionId == Deadlines.entry,
            let state = Storage.get(Keys.state), let spec = Storage.get(Keys.spec)
        else { return }
        var machine = RoundMachine(spec: spec, state: state, now: context.time)
        machine.run()
        Storage.set(Keys.state, machine.state)
    }

    static func query(_ context: Context) {
        guard let state = Storage.get(Keys.state) else { Chain.fail("the job is not initialised") }
        let kind = context.decode(UInt8.self, "query")
        switch kind {
        case 0: Chain.reply(raw: Queries.status(state))
        case 1: Chain.reply(raw: Queries.participants(state))
        case 2: Chain.reply(raw: Queries.history(state))
        default: Chain.fail("query \(kind) is not a job's: 0 status, 1 participants, 2 history")
        }
    }
}

/// One action in progress: who sends what, and the job's state as it will be saved.
struct Call {
    let context: Context
    var state: JobState

    init(_ context: Context) {
        guard let state = Storage.get(Keys.state) else { Chain.fail("the job is not initialised") }
        self.context = context
        self.state = state
    }

    /// Money is only for the escrow: with anything else it would be lost.
    func refuseStrayValue() {
        guard context.value == 0 || context.actionId == 8 else {
            Chain.fail("action \(context.actionId) takes no money; fund the escrow by action 8")
        }
    }

    mutating func save() {
        Deadlines.recover(&state, now: context.time)
        Storage.set(Keys.state, state)
    }

    /// The caller's place, or a refusal of `what`.
    func slot(_ what: StaticString) -> UInt8 {
        guard let slot = Storage.get(Keys.slot(of: context.caller)) else {
            Chain.fail("\(what) refused: \(context.caller) has not applied to this job")
        }
        return slot
    }

    /// Refuses `what` in a job that is over.
    func requireRunning(_ what: StaticString) {
        guard !state.phase.isOver else { Chain.fail("\(what) refused: the job is \(state.phase.name)") }
    }

    /// Has the round machine look at the state at the end of this block.
    func advanceNow() {
        // With a full queue the phase's deadline, which is in it, does the same later.
        _ = Deadlines.scheduleNow(state)
    }
}
