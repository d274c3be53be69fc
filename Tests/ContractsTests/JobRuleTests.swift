import Cryptography
import Encoding
import JobProtocol
import Primitives
import Testing

/// What a job refuses, in whose words, and what a refusal leaves behind: nothing.
@Suite("Rules of a job", .timeLimit(.minutes(20)))
struct JobRuleTests {
    @Test("commits, reveals and validations out of turn are refused and change nothing")
    func outOfTurn() throws {
        let job = try JobStage.started()
        let (lead, first, second) = (try job.lead, job.workers[0], job.workers[1])
        let stranger = Person("stranger")
        let contract = try #require(Account(TestChain.contract))
        func refused(_ outcome: TestChain.Outcome, _ text: String) {
            #expect(outcome == .refused(text))
        }
        let own = try job.work(first, 0)
        refused(job.send(first, 6, own.borsh, post: "r0/r"), "the job is not in the reveal phase")
        refused(job.send(stranger, 6, own.commitment(job: contract, round: 0, sender: stranger.account).borsh, post: "r0/c"),
            "this account has not applied to the job, or has left it")
        refused(job.validate(1, 0), "no validation of this round is due")
        for post in ["", "r0", "r0/x", "r00/c", "r-1/c", "x0/c", "r99999999999/c", "r/c"] {
            refused(job.send(first, 6, own.borsh, post: post), "postId is not r<round>/ and c, r, e, v, f or o")
        }
        #expect(try job.commit(first, 0) == .done)
        let before = job.chain.state
        refused(try job.commit(first, 0), "committed already")
        refused(try job.commit(second, 2), "another round is running")
        #expect(job.chain.state == before)
        // A copy of another's commitment is taken, and opens to nothing.
        let copied = own.commitment(job: contract, round: 0, sender: first.account).borsh
        #expect(job.send(second, 6, copied, post: "r0/c") == .done)
        try job.commit([lead], 0)
        #expect(try job.status().phase == .reveal)
        refused(job.send(second, 6, own.borsh, post: "r0/r"), "it does not open the commitment")
        refused(job.send(stranger, 6, own.borsh, post: "r0/r"), "this account has not applied to the job, or has left it")
        try job.reveal([first], 0)
        refused(try job.reveal(first, 0), "revealed already")
        // A worker can't name partners, and a cloud can't name one twice.
        try job.reveal([lead], 0)
        try job.passDeadline()
        refused(job.validate(1_000_001, 0), "the metric is above 1000000")
        refused(job.validate(600_000, 1), "no validation of this round is due")
        refused(job.validate(600_000, 0, by: JobStage.owner), "this account is not in the round's committee")
        #expect(job.validate(600_000, 0) == .done)
        #expect(job.takeVerdicts() == ["cloud 0: accepted r0/v", "worker 0: accepted r0/v", "worker 1: not revealed r0/v"])
    }

    @Test("partners are the cloud's to name, each once")
    func partners() throws {
        let job = try JobStage.started()
        let lead = try job.lead
        let partner = JobPartner(index: 0, envelopes: 1, root: .zero, use: .used)
        let twice = JobReveal(
            stepsRoot: .zero, artifact: .zero, partners: [partner, partner], lossMicro: 0, location: "", salt: .zero)
        let named = JobReveal(
            stepsRoot: .zero, artifact: .zero, partners: [partner], lossMicro: 0, location: "", salt: .zero)
        #expect(try job.commit(lead, 0, twice) == .done)
        #expect(try job.commit(job.workers[0], 0, named) == .done)
        try job.commit([job.workers[1]], 0)
        #expect(try job.reveal(lead, 0) == .refused("its partners are not ascending"))
        #expect(try job.reveal(job.workers[0], 0) == .refused("the cloud alone names partners"))
    }

    @Test("joining: roles, bond, placement, identity, places, time")
    func joining() throws {
        let someone = Person("someone")
        let job = try JobStage(JobStage.spec { $0.bond = 100 })
        #expect(job.apply(someone, as: .fog) == .refused("the job has no such role"))
        #expect(job.apply(someone, as: .validator) == .refused("the job has no such role"))
        #expect(job.apply(someone, as: .edge, value: 99) == .refused("its value is not the job's bond"))
        #expect(job.apply(someone, as: .device, value: 0) == .refused("its parent is no worker of the job"))
        #expect(job.apply(someone, as: .edge) == .done)
        #expect(job.apply(someone, as: .edge) == .refused("this account has applied already"))
        #expect(job.send(someone, 4) == .refused("publish a KEM key and an endpoint first (action 2)"))
        #expect(job.send(someone, 2, JobIdentity(kemPublicKey: someone.kem, endpoint: "a b").borsh)
            == .refused("an endpoint is host:port in printable ASCII"))
        #expect(job.identify(someone) == .done)
        #expect(job.send(someone, 4, [1]) == .refused("this action takes no data"))
        #expect(job.send(someone, 4) == .done)
        #expect(job.send(someone, 4) == .refused("confirmed already"))
        #expect(job.send(someone, 6, value: 1) == .refused("this action takes no money; fund the escrow by action 8"))
        try job.checkBooks()

        let listed = try JobStage(JobStage.spec { $0.placement = .allowList([someone.account]) })
        #expect(listed.apply(listed.workers[0]) == .refused("the job takes listed accounts alone"))
        #expect(listed.apply(someone, as: .edge) == .done)

        let known = try JobStage(JobStage.spec { $0.placement = .reputation(atLeast: 500) })
        #expect(known.apply(someone, as: .edge) == .refused("too little reputation in this role"))
        known.chain.reputations[someone.account] = 500
        #expect(known.apply(someone, as: .edge) == .done)

        // A device sends to a worker, has a place of its own, and owes nothing.
        let devices = try JobStage.started(JobStage.spec { ($0.trainingProtocol, $0.devices) = (.fog, 2) })
        let device = Person("device")
        let application = JobApplication(role: .device, samples: 9, parent: devices.workers[0].account)
        #expect(devices.send(device, 5, application.borsh) == .done)
        #expect(devices.identify(device) == .done)
        #expect(devices.send(device, 4) == .done)
        try devices.play(0, metric: 500_000)
        #expect(try devices.member(device).standing == .active && devices.member(device).parent == devices.workers[0].account)
        try devices.play(1, metric: 500_000)
        #expect(devices.takeVerdicts().allSatisfy { !$0.hasPrefix("?") })
    }

    @Test("an escrow that the chain has locked for storage does not begin a round")
    func lockedEscrow() throws {
        let job = try JobStage.started()
        // The chain takes a deposit out of the contract's balance.
        job.chain.state.balances[TestChain.contractAccount, default: 0] -= 100
        try job.play(0, metric: 600_000)
        #expect(try job.status().phase == .paused && job.status().acceptedRounds == 1)
        job.chain.state.balances[TestChain.contractAccount, default: 0] += 100
        #expect(job.send(JobStage.owner, 257) == .done)
        #expect(try job.status().phase == .commit && job.status().round == 1)
    }

    @Test("64 dust accounts can't keep anybody out: who does not confirm in time loses the place")
    func dust() throws {
        let job = try JobStage()
        for index in 0..<64 { #expect(job.apply(Person("dust \(index)"), as: .edge) == .done) }
        let late = Person("late")
        #expect(job.apply(late, as: .edge) == .refused("64 have applied, no more fit"))
        job.chain.pass(job.spec.confirmTimeoutMs)
        #expect(job.apply(late, as: .edge) == .done)
        for person in job.clouds + job.workers { try job.join(person) }
        #expect(try job.status().phase == .commit)
        #expect(try job.members().count == 64)
    }

    @Test("the open phase ends at its deadline; without a quorum the job pauses, and goes on by itself with one")
    func openDeadline() throws {
        let enough = try JobStage()
        try enough.join(enough.clouds[0])
        try enough.join(enough.workers[0])
        try enough.passDeadline()
        #expect(try enough.status().phase == .commit)

        let few = try JobStage()
        try few.join(few.clouds[0])
        try few.passDeadline()
        #expect(try few.status().phase == .paused && few.status().reason == "fewer workers than the quorum, or no cloud")
        for worker in few.workers { try few.join(worker) }
        #expect(try few.status().phase == .open || few.status().phase == .commit)
        try few.passDeadline()
        #expect(try few.status().phase == .commit)
    }

    @Test("pay: covered before a round begins, taken at any time; what nobody earned goes back")
    func money() throws {
        let job = try JobStage(JobStage.spec { $0.bond = 10 }, deposit: 500, escrow: 100)
        for person in job.clouds + job.workers { try job.join(person) }
        #expect(try job.status().phase == .paused && job.status().reason == "the escrow does not cover the next round")
        #expect(job.send(JobStage.owner, 8, value: 200) == .done)
        // Resumed: a job that has not begun opens again, and begins with a full roster.
        #expect(try job.status().phase == .commit)
        #expect(job.send(JobStage.owner, 8) == .refused("the job is not over"))
        #expect(job.send(job.workers[0], 8) == .refused("only the owner settles"))
        try job.play(0, metric: 600_000)
        #expect(job.send(job.workers[0], 9) == .done)
        #expect(job.chain.state.balances[job.workers[0].account] == 30)
        try job.checkBooks(deposit: 500)
        try job.play(1, metric: 600_000)
        #expect(try job.status().phase == .paused, "40 are left of 300")
        #expect(job.send(JobStage.owner, 258) == .done)
        #expect(try job.status().phase == .aborted)
        #expect(job.send(JobStage.owner, 8, value: 1) == .refused("the job is over"))
        #expect(job.send(JobStage.owner, 8) == .done)
        #expect(job.chain.state.balances[JobStage.owner.account] == 540)
        #expect(job.send(JobStage.owner, 8) == .refused("nothing is due"))
        // Bonds and pay are the workers' for ever.
        #expect(job.send(job.workers[0], 9) == .done)
        #expect(job.send(job.workers[1], 9) == .done)
        #expect(job.send(job.clouds[0], 9) == .done)
        #expect(job.send(JobStage.judge, 9) == .done)
        #expect(job.chain.state.balances[job.workers[0].account] == 70)
        #expect(job.chain.state.balances[TestChain.contractAccount] == 0)
    }

    @Test("an abort never beats work that is there: it waits for the round's end, as a pause does")
    func requests() throws {
        let job = try JobStage.started()
        #expect(job.send(job.workers[0], 258) == .refused("only the owner does that"))
        #expect(job.send(JobStage.owner, 257) == .refused("the job is not paused"))
        #expect(job.send(JobStage.owner, 999) == .refused("not a job's action"))
        // Before anybody has committed it is done at once.
        #expect(job.send(JobStage.owner, 256) == .done)
        #expect(try job.status().phase == .paused)
        #expect(job.send(JobStage.owner, 257) == .done)
        #expect(try job.status().phase == .commit && job.status().round == 0)
        let crew = [try job.lead] + job.workers
        try job.commit(Array(crew.dropLast()), 0)
        // A pause that waits is taken back.
        #expect(job.send(JobStage.owner, 256) == .done)
        #expect(try job.status().phase == .commit && job.status().request == .pause)
        #expect(job.send(JobStage.owner, 257) == .done)
        #expect(try job.status().request == .none)
        try job.commit([crew[2]], 0)
        #expect(job.send(JobStage.owner, 258) == .done)
        #expect(try job.status().phase == .reveal && job.status().request == .abort)
        #expect(job.send(JobStage.owner, 256) == .refused("the job is being aborted"))
        try job.reveal(crew, 0)
        // In the same block as the validation, and before it.
        #expect(job.chain.act(JobStage.owner.account, 258) == .done)
        #expect(job.validate(600_000, 0) == .done)
        let status = try job.status()
        #expect(status.phase == .aborted && status.acceptedRounds == 1 && status.owed == 130)
    }

    @Test("complaints: opened, nobody is at fault; in silence the sender is; unfounded it costs the bond")
    func complaints() throws {
        for outcome in ["opened", "silent", "unfounded"] {
            let job = try JobStage.started(JobStage.spec { $0.bond = 100 })
            let (lead, edge) = (try job.lead, job.workers[0])
            let envelope = try Envelope(from: lead, to: edge, round: 0)
            #expect(job.send(edge, 6, envelope.complaint(change: "signature").borsh, post: "r0/f")
                == .refused("the sender has not signed this envelope for this receiver"))
            #expect(job.send(job.workers[1], 6, envelope.complaint().borsh, post: "r0/f")
                == .refused("the sender has not signed this envelope for this receiver"), "it was sealed for another")
            #expect(job.send(edge, 6, envelope.complaint().borsh, post: "r1/f") == .refused("the round takes no complaints now"))
            #expect(job.send(edge, 6, envelope.complaint().borsh, post: "r0/f") == .done)
            #expect(job.send(edge, 6, envelope.complaint().borsh, post: "r0/f")
                == .refused("one complaint a round and worker is taken"))
            #expect(try job.complaints().map(\.isOpened) == [false])
            let crew = [lead] + job.workers
            try job.commit(crew, 0)
            try job.reveal(crew, 0)
            let opening = JobOpening(complainer: edge.account, payload: envelope.payload, salt: envelope.salt)
            if outcome != "silent" {
                let wrong = JobOpening(complainer: edge.account, payload: .zero, salt: envelope.salt)
                #expect(job.send(lead, 6, wrong.borsh, post: "r0/o") == .refused("it does not open the envelope"))
                #expect(job.send(job.workers[1], 6, opening.borsh, post: "r0/o") == .refused("nobody waits for it"))
                #expect(job.send(lead, 6, opening.borsh, post: "r0/o") == .done)
                #expect(job.send(lead, 6, opening.borsh, post: "r0/o") == .refused("nobody waits for it"))
            }
            let slot = try job.member(edge).slot
            #expect(job.validate(600_000, 0) { if outcome == "unfounded" { $0.unfounded = 1 << UInt64(slot) } } == .done)
            if outcome == "silent" {
                #expect(try job.status().phase == .challenge)
                try job.passDeadline()
                #expect(job.takeVerdicts().contains("cloud 0: not revealed r0/v"))
            } else {
                #expect(try job.status().round == 1, "the challenge takes no time")
                #expect(!job.takeVerdicts().contains { $0.contains("not revealed") })
            }
            if outcome == "unfounded" {
                #expect(try job.members().first { $0.account == edge.account }?.standing == .released)
                #expect(try job.owed(edge) == 30, "the bond is gone, the pay is not")
            }
            try job.checkBooks()
        }
    }

    @Test("keys rotate while envelopes are under way: one sealed for the key before can still be complained of")
    func rotatedKeys() throws {
        func key(_ name: String) -> KEMPublicKey { KEMPublicKey(digest(name).bytes) ?? .zero }
        func publish(_ job: JobStage, _ key: KEMPublicKey, _ endpoint: String = "127.0.0.1:27000") {
            #expect(job.send(job.workers[0], 2, JobIdentity(kemPublicKey: key, endpoint: endpoint).borsh) == .done)
        }
        let refused = TestChain.Outcome.refused("the sender has not signed this envelope for this receiver")
        for (rotations, outcome) in [(0, TestChain.Outcome.done), (1, .done), (2, refused)] {
            let job = try JobStage.started()
            let edge = job.workers[0]
            let envelope = try Envelope(from: try job.lead, to: edge, round: 0)
            for rotation in 0..<rotations { publish(job, key("rotation \(rotation)")) }
            // Who only moves loses no key by it.
            publish(job, rotations == 0 ? edge.kem : key("rotation \(rotations - 1)"), "127.0.0.1:27001")
            #expect(job.send(edge, 6, envelope.complaint().borsh, post: "r0/f") == outcome, "\(rotations) rotations")
            // What somebody else was sealed is nobody's to complain of, whatever keys there were.
            let other = try Envelope(from: try job.lead, to: job.workers[1], round: 0)
            if outcome != .done { #expect(job.send(edge, 6, other.complaint().borsh, post: "r0/f") == refused) }
        }
    }

    /// What of an envelope a complaint needs.
    private struct Envelope {
        let sender: Person
        let context: [UInt8]
        let payload = digest("payload")
        let salt = digest("envelope salt")
        let commitment: Digest
        let sealed = digest("sealed")
        let signature: [UInt8]

        init(from sender: Person, to receiver: Person, round: UInt32) throws {
            self.sender = sender
            let genesis = digest("genesis")
            var encoder = BorshEncoder()
            encoder.value(genesis)
            encoder.fixed(TestChain.contract)
            encoder.integer(round)
            encoder.integer(UInt32(3))
            encoder.fixed([2, 0, 0])
            encoder.value(Digest.zero)
            encoder.value(sender.account)
            encoder.value(receiver.kem)
            context = encoder.bytes
            let digest = Digest(domain: "edgeproof/envelope/1", parts: context)
            commitment = Digest(sha256: digest.bytes + payload.bytes + salt.bytes)
            struct Body: BorshEncodable {
                let digests: [Digest]
                func encode(to encoder: inout BorshEncoder) { for digest in digests { encoder.value(digest) } }
            }
            signature = try sender.key.sign(
                Body(digests: [digest, commitment, sealed]), domain: .envelope, genesis: genesis
            ).bytes
        }

        func complaint(change: String = "") -> JobComplaint {
            JobComplaint(
                sender: sender.account, step: 3, envelope: commitment, context: context, sealed: sealed,
                signatureStart: Digest(signature.prefix(32)) ?? .zero,
                signatureEnd: change == "signature" ? .zero : Digest(signature.suffix(32)) ?? .zero)
        }
    }

    @Test("a specification that could not run is refused, and one whose owner judges himself")
    func badSpecifications() throws {
        let owner = JobStage.owner.account
        for (rule, change) in [
            ("workers is not 1 to 48", { $0.workers = 0 }), ("a time-out is not 10 s to 30 days", { $0.revealTimeoutMs = 1 }),
            ("a time-out is not 10 s to 30 days", { $0.validateTimeoutMs = .max }),
            ("quorum is not 1 to the number of workers", { $0.quorum = 3 }),
            ("owner or validator in committee", { $0.committee = .named([owner], size: 1) }),
            ("owner or validator in committee", { $0.committee = .validator(standingBy: [owner]) }),
            // Two friends would outvote the validator, and its word weigh for theirs.
            (
                "owner or validator in committee",
                { $0.committee = .named([Person("a").account, Person("b").account, JobStage.judge.account], size: 3) }
            ),
        ] as [(String, (inout JobSpec) -> Void)] {
            let chain = try TestChain("job", owner: owner, validator: JobStage.judge.account)
            #expect(chain.register(JobStage.spec(change).borsh) == .refused(rule))
            #expect(chain.state == TestChain.State())
        }
        let own = try TestChain("job", owner: owner, validator: owner)
        #expect(own.register(JobStage.spec().borsh) == .refused("the owner can't be the validator"))
        let none = try TestChain("job", owner: owner, validator: nil)
        #expect(none.register(JobStage.spec().borsh) == .refused("the service names no validator"))
        let chain = try TestChain("job", owner: owner, validator: JobStage.judge.account)
        var bytes = JobStage.spec().borsh
        bytes[5] = 0xFF
        #expect(chain.register(bytes) == .refused("malformed job specification: a string is not UTF-8"))
        #expect(chain.register(JobStage.spec().borsh + [0]) == .refused("malformed job specification: 1 bytes too many"))
        #expect(chain.register([]) == .refused("malformed job specification: too short"))
        for call in [chain.query([0]).outcome, chain.send(owner, 5, [])] {
            #expect(call == .refused("the job is not initialised"))
        }
        #expect(chain.register(JobStage.spec { $0.title = "Ziffern: größer, 数字, 🔢" }.borsh) == .done)
    }
}
