/// # The training-job contract
///
/// Schedules and records the rounds of one distributed training job, split or fog:
///
/// ```
/// registered -> open -> commit -> reveal -> validate [-> score] -> challenge -> final -> (next) commit
///                          \________\___________\__________\-> starved -> (next) commit
/// beside them: paused (and back), aborted, finished
/// ```
///
/// What it promises:
/// - **Rounds cannot hang.** Only scheduled calls change the phase, and every phase that waits has a deadline in the
///   schedule queue. Whatever anybody sends or omits, a next state comes; a paused job ends by itself.
/// - **Work is matched to a worker.** Credit and pay need the worker's own digests, the cloud's that name them, and the
///   committee's model that they add up to.
/// - **Money adds up.** What was paid in is escrow, owed, bonds, burned or paid out; a round begins only when the
///   escrow covers it; nobody is paid twice.
/// - **A refused action changes nothing** and says why.
/// - **State is bounded**: 64 slots, 64 rounds of history, 16 arrival times, 15 members of a committee.
///
/// These files are compiled twice: into the contract (`Contracts/build`), and for the host, where a test walks through
/// the states. What differs is in `Shared.swift` and `Entry.swift` there, and in `Native` here. `README.md` in the
/// folder above lists actions and storage.
extension RoundMachine {
    /// The state of a job that is being registered.
    static func initialize(_ chain: JobChain, _ spec: JobSpec) throws(Refusal) -> RoundMachine {
        if let rule = spec.brokenRule { throw Refusal(rule) }
        let validator = chain.validator
        if spec.committee.kind == .validator {
            guard let validator else { throw Refusal("the service names no validator") }
            guard validator != chain.owner else { throw Refusal("the owner can't be the validator") }
        }
        // Nor may others outvote the validator, and its word weigh for theirs.
        for member in spec.committee.named
        where member == chain.owner || (spec.committee.size > 1 && member == validator) {
            throw Refusal("owner or validator in committee")
        }
        let machine = RoundMachine(chain: chain, spec: spec, state: JobState(spec: spec, time: chain.now))
        guard machine.advanceNow() else { throw Refusal("no call is scheduled: too little deposit or credits") }
        return machine
    }

    /// One action of somebody.
    func perform(_ act: JobAct) throws(Refusal) {
        // Money is for the escrow and for bonds: with anything else it would be lost.
        guard act.value == 0 || act.actionId == 8 || act.actionId == 5 else {
            throw Refusal("this action takes no money; fund the escrow by action 8")
        }
        switch act.actionId {
        case 2: try postIdentity(act)
        case 4: try confirm(act)
        case 5: try apply(act)
        case 6: try commitmentTask(act)
        case 7: try release(act)
        case 8: try fundOrSettle(act)
        case 9: try claim(act)
        case 256: try request(.pause, act)
        case 257: try request(.resume, act)
        case 258: try request(.abort, act)
        default: throw Refusal("not a job's action")
        }
        recover()
    }
}

/// One action as it came.
final class JobAct {
    let caller: Account
    let actionId: UInt32
    let post: JobBytes
    let data: JobBytes
    let value: UInt128
    /// The contract's, the value included.
    let balance: UInt128

    init(
        caller: Account, actionId: UInt32, post: JobBytes, data: JobBytes, value: UInt128, balance: UInt128
    ) {
        self.caller = caller
        self.actionId = actionId
        self.post = post
        self.data = data
        self.value = value
        self.balance = balance
    }
}

/// What a verdict says; the raw values are the chain's.
enum JobFinding: UInt8 {
    case accepted = 0
    case auditedMatch = 1
    case lateButUsed = 2
    case absent = 3
    case outlier = 4
    case committedNotRevealed = 5
}
