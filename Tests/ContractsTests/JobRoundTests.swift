import Cryptography
import Encoding
import JobProtocol
import Primitives
import Testing

/// What becomes of rounds: both protocols, both modes, committees, replacements.
@Suite("Rounds of a job", .timeLimit(.minutes(20)))
struct JobRoundTests {
    @Test("three rounds are credited, paid and recorded, in both protocols", arguments: [JobSpec.TrainingProtocol.split, .fog])
    func wholeJob(_ trainingProtocol: JobSpec.TrainingProtocol) throws {
        let job = try JobStage.started(JobStage.spec { $0.trainingProtocol = trainingProtocol })
        for round: UInt32 in 0..<3 {
            try job.play(round, metric: 600_000 + UInt64(round) * 10_000)
            let expected = [job.clouds[0].name, "worker 0", "worker 1"].map { "\($0): accepted r\(round)/v" }
            #expect(job.takeVerdicts() == Set(expected))
        }
        let status = try job.status()
        #expect(status.phase == .finished && status.acceptedRounds == 3 && status.metricMicro == 620_000)
        #expect(status.checkpoint == job.checkpoint(2) && status.escrow == 0 && status.owed == 3 * 130)
        let rounds = try job.history()
        #expect(rounds.map(\.outcome) == [.accepted, .accepted, .accepted])
        #expect(rounds.allSatisfy { $0.credited == 2 && $0.participants == 3 && $0.paid == 130 })
        // Everybody takes its own, once.
        for (person, amount) in [(job.clouds[0], 150), (job.workers[0], 90), (job.workers[1], 90), (JobStage.judge, 60)] {
            #expect(try job.owed(person) == UInt128(amount))
            #expect(job.send(person, 9) == .done)
            #expect(job.chain.state.balances[person.account] == UInt128(amount))
            #expect(job.send(person, 9) == .refused("nothing is due"))
        }
        #expect(job.chain.state.balances[TestChain.contractAccount] == 0)
    }

    @Test("who was not in the steps, as both sides say, earns nothing and loses nothing")
    func matching() throws {
        // The cloud leaves a worker out.
        let dropped = try JobStage.started()
        let lead = try dropped.lead
        #expect(try dropped.commit(lead, 0, dropped.work(lead, 0, naming: [dropped.workers[0]])) == .done)
        try dropped.commit(dropped.workers, 0)
        try dropped.reveal([lead] + dropped.workers, 0)
        #expect(dropped.validate(600_000, 0) == .done)
        #expect(dropped.takeVerdicts() == ["cloud 0: accepted r0/v", "worker 0: accepted r0/v"])
        #expect(try dropped.owed(dropped.workers[1]) == 0 && dropped.owed(dropped.workers[0]) == 30)

        // A worker reveals other steps than the cloud saw; another one another front.
        let lying = try JobStage.started()
        let cloud = try lying.lead
        try lying.commit([cloud], 0)
        let steps = try lying.work(lying.workers[0], 0)
        let other = JobReveal(
            stepsRoot: digest("other"), artifact: steps.artifact, lossMicro: 1, location: "", salt: steps.salt)
        #expect(try lying.commit(lying.workers[0], 0, other) == .done)
        try lying.commit([lying.workers[1]], 0)
        try lying.reveal([cloud] + lying.workers, 0)
        #expect(lying.validate(600_000, 0) == .done)
        #expect(lying.takeVerdicts() == ["cloud 0: accepted r0/v", "worker 1: accepted r0/v"])

        let front = try lying.work(lying.workers[1], 1)
        let false1 = JobReveal(
            stepsRoot: front.stepsRoot, artifact: digest("false"), lossMicro: 1, location: "", salt: front.salt)
        try lying.commit([cloud, lying.workers[0]], 1)
        #expect(try lying.commit(lying.workers[1], 1, false1) == .done)
        try lying.reveal([cloud] + lying.workers, 1)
        #expect(lying.validate(600_000, 1) == .done)
        #expect(lying.takeVerdicts() == ["cloud 0: accepted r1/v", "worker 0: accepted r1/v"])

        // The committee names another model than cloud and workers made: rolled back, nobody is paid.
        try lying.commit([cloud] + lying.workers, 2)
        try lying.reveal([cloud] + lying.workers, 2)
        #expect(lying.validate(900_000, 2) { $0.checkpoint = digest("another") } == .done)
        #expect(try lying.history().last?.outcome == .rolledBack)
        #expect(lying.takeVerdicts().isEmpty)
    }

    @Test("a worse model rolls back; the committee examines it and names who spoiled it")
    func rollBack() throws {
        let job = try JobStage.started()
        try job.play(0, metric: 700_000)
        _ = job.takeVerdicts()
        let crew = [try job.lead] + job.workers
        try job.commit(crew, 1)
        try job.reveal(crew, 1)
        let slot = try job.member(job.workers[1]).slot
        #expect(job.validate(600_000, 1) { $0.outliers = 1 << UInt64(slot) } == .done)
        #expect(job.takeVerdicts() == ["worker 1: outlier r1/v"])
        let status = try job.status()
        #expect(status.metricMicro == 700_000 && status.checkpoint == job.checkpoint(0) && status.rejectedRounds == 1)
        // In an accepted round, an outlier is not paid.
        try job.commit(crew, 2)
        try job.reveal(crew, 2)
        #expect(job.validate(700_000, 2) { $0.outliers = 1 << UInt64(slot) } == .done)
        #expect(try job.owed(job.workers[1]) == 30 && job.owed(job.workers[0]) == 60)
    }

    @Test("late work is in the next round, with its own base, and is late but used")
    func lateWork() throws {
        let job = try JobStage.started()
        let (lead, slow) = (try job.lead, job.workers[1])
        try job.commit([lead, job.workers[0]], 0)
        try job.passDeadline()
        #expect(try job.status().phase == .reveal)
        try job.commit([slow], 0)
        try job.reveal([lead, job.workers[0]], 0)
        #expect(job.validate(600_000, 0) == .done)
        #expect(job.takeVerdicts() == ["cloud 0: accepted r0/v", "worker 0: accepted r0/v"])
        // In round 1 it has committed already; the cloud names the work that it got.
        #expect(try job.member(slow).committed && job.member(slow).base == 0)
        #expect(try job.commit(slow, 1) == .refused("committed already"))
        let late = try job.work(slow, 0)
        let named = try job.work(lead, 1).partners.map { partner in
            partner.index == 1 ? JobPartner(index: 1, envelopes: 1, root: late.stepsRoot, use: .used) : partner
        }
        let own = try job.work(lead, 1)
        let reveal = JobReveal(
            stepsRoot: own.stepsRoot, artifact: own.artifact, partners: named, lossMicro: 1, location: "", salt: own.salt)
        #expect(try job.commit(lead, 1, reveal) == .done)
        try job.commit([job.workers[0]], 1)
        #expect(try job.status().phase == .reveal)
        try job.reveal([lead, job.workers[0]], 1)
        // Its front is that of its base; in a fog job a difference has none.
        #expect(try job.reveal(slow, 0) == .done)
        #expect(job.validate(600_000, 1) == .done)
        #expect(try job.status().round == 2)

        let fog = try JobStage.started(JobStage.spec { $0.trainingProtocol = .fog })
        let cloud = try fog.lead
        try fog.commit([cloud, fog.workers[0]], 0)
        try fog.passDeadline()
        try fog.commit([fog.workers[1]], 0)
        try fog.reveal([cloud, fog.workers[0]], 0)
        #expect(fog.validate(600_000, 0) == .done)
        _ = fog.takeVerdicts()
        let base = try fog.work(fog.workers[1], 0)
        let made = try fog.work(cloud, 1)
        let both = JobReveal(
            stepsRoot: made.stepsRoot, artifact: made.artifact,
            partners: made.partners.map { $0.index == 1 ? JobPartner(index: 1, envelopes: 1, root: base.stepsRoot, use: .used) : $0 },
            lossMicro: 1, location: "", salt: made.salt)
        #expect(try fog.commit(cloud, 1, both) == .done)
        try fog.commit([fog.workers[0]], 1)
        try fog.reveal([cloud, fog.workers[0]], 1)
        #expect(try fog.reveal(fog.workers[1], 0) == .done)
        #expect(fog.validate(600_000, 1) == .done)
        #expect(fog.takeVerdicts() == ["cloud 0: accepted r1/v", "worker 0: accepted r1/v", "worker 1: late r1/v"])
    }

    @Test("an asynchronous round closes at K updates, and blames nobody for being slow")
    func asynchronous() throws {
        let job = try JobStage.started(
            JobStage.spec { ($0.trainingProtocol, $0.mode, $0.workers, $0.bufferedUpdates) = (.fog, .asynchronous, 3, 2) })
        let lead = try job.lead
        try job.commit([job.workers[0], job.workers[1]], 0)
        #expect(try job.status().phase == .commit)
        #expect(try job.commit(lead, 0, job.work(lead, 0, naming: Array(job.workers.prefix(2)))) == .done)
        #expect(try job.status().phase == .reveal)
        try job.reveal([lead, job.workers[0], job.workers[1]], 0)
        #expect(job.validate(600_000, 0) == .done)
        #expect(job.takeVerdicts() == ["cloud 0: accepted r0/v", "worker 0: accepted r0/v", "worker 1: accepted r0/v"])
        // The slow one's update starts from round 0 and goes into round 1.
        #expect(try job.commit(job.workers[2], 0) == .done)
        #expect(try job.member(job.workers[2]).base == 0)
        #expect(try job.commit(job.workers[0], 7) == .refused("another round is running"))
    }

    @Test("a committee of three scores by commit and reveal: the majority's model, the median")
    func committee() throws {
        let job = try JobStage.started(JobStage.spec { $0.committee = .masternodes(3) })
        let judges = Array(JobStage.judges.prefix(3))
        let crew = [try job.lead] + job.workers
        try job.commit(crew, 0)
        try job.reveal(crew, 0)
        #expect(try job.status().phase == .validate)
        #expect(try job.status().committee.map(\.account) == judges.map(\.account))
        let contract = try #require(Account(TestChain.contract))
        let scores = [(0, UInt64(610_000)), (1, 630_000), (2, 990_000)].map { index, metric in
            (judges[index], job.score(metric, 0) { $0.salt = digest("salt \(index)") })
        }
        #expect(job.send(judges[0], 6, scores[0].1.borsh, post: "r0/v") == .refused("no validation of this round is due"))
        for (judge, score) in scores {
            let bid = score.commitment(job: contract, round: 0, sender: judge.account).borsh
            #expect(job.send(judge, 6, bid, post: "r0/e") == .done)
            if judge != judges[2] { #expect(job.send(judge, 6, bid, post: "r0/e") == .refused("committed already")) }
        }
        #expect(try job.status().phase == .score)
        // A copy of another's score opens nothing.
        #expect(job.send(judges[1], 6, scores[0].1.borsh, post: "r0/v") == .refused("it does not open the commitment"))
        #expect(job.send(JobStage.judge, 6, scores[0].1.borsh, post: "r0/v") == .refused("this account is not in the round's committee"))
        #expect(job.send(judges[0], 6, scores[0].1.borsh, post: "r0/v") == .done)
        #expect(job.send(judges[0], 6, scores[0].1.borsh, post: "r0/v") == .refused("validated already"))
        for (judge, score) in scores.dropFirst() { #expect(job.send(judge, 6, score.borsh, post: "r0/v") == .done) }
        #expect(try job.status().metricMicro == 630_000)
        for judge in judges { #expect(try job.owed(judge) == 20) }
    }

    @Test("a silent member is replaced by the next in line; a silent cloud too")
    func replacement() throws {
        let standby = JobStage.judges[4]
        let job = try JobStage.started(
            JobStage.spec { ($0.clouds, $0.committee) = (2, .validator(standingBy: [standby.account])) })
        #expect(try job.lead == job.clouds[0])
        let crew = [job.clouds[0]] + job.workers
        #expect(try job.commit(job.clouds[1], 0) == .refused("another cloud leads, or the round's time is over"))
        try job.commit(crew, 0)
        try job.reveal(crew, 0)
        #expect(job.validate(600_000, 0, by: standby) == .refused("this account is not in the round's committee"))
        try job.passDeadline()
        #expect(try job.status().phase == .validate && job.status().committee.map(\.account) == [standby.account])
        #expect(job.validate(600_000, 0, by: standby) == .done)
        #expect(try job.status().acceptedRounds == 1 && job.owed(standby) == 20)

        // The cloud says nothing: nobody else is at fault, the other cloud leads.
        try job.passDeadline()
        try job.passDeadline()
        #expect(try job.history().last?.outcome == .starved)
        #expect(try job.status().round == 2 && job.lead == job.clouds[1])
        #expect(try job.member(job.clouds[0]).standing == .suspended)
        #expect(try job.workers.allSatisfy { try job.member($0).misses == 0 })
        try job.commit([job.clouds[1]] + job.workers, 2)
        try job.reveal([job.clouds[1]] + job.workers, 2)
        #expect(job.validate(600_000, 2) == .done)
        #expect(try job.status().phase == .finished)
    }

    @Test("newcomers join from the next round on; who leaves before a commit does so without fault")
    func comingAndGoing() throws {
        let job = try JobStage.started(JobStage.spec { ($0.workers, $0.rounds, $0.bond) = (2, 5, 100) })
        let newcomer = Person("newcomer")
        #expect(job.apply(newcomer) == .done)
        #expect(job.identify(newcomer) == .done)
        #expect(job.send(newcomer, 4) == .refused("all places of this role are taken"))
        // A worker leaves: its place is free, its bond comes back.
        #expect(job.send(job.workers[1], 7) == .done)
        #expect(job.send(newcomer, 4) == .done)
        #expect(try job.member(newcomer).standing == .confirmed && job.member(newcomer).index == 1)
        #expect(try job.owed(job.workers[1]) == 100)
        #expect(job.send(job.workers[1], 9) == .done)
        #expect(job.takeVerdicts().isEmpty)
        let lead = try job.lead
        try job.commit([lead, job.workers[0]], 0)
        try job.reveal([lead, job.workers[0]], 0)
        #expect(job.validate(600_000, 0) == .done)
        #expect(job.takeVerdicts() == ["cloud 0: accepted r0/v", "worker 0: accepted r0/v"])
        #expect(try job.member(newcomer).standing == .active)
        // It leaves between commit and reveal: the bond is gone.
        #expect(try job.commit(newcomer, 1) == .done)
        #expect(job.send(newcomer, 7) == .done)
        #expect(try job.owed(newcomer) == 0)
        // The owner releases somebody: no fault, the bond comes back.
        let release = JobRelease(account: job.workers[0].account).borsh
        #expect(job.send(job.workers[0], 7, release) == .refused("only the owner releases others"))
        #expect(job.send(JobStage.owner, 7, release) == .done)
        #expect(try job.owed(job.workers[0]) == 130)
        try job.checkBooks()
    }

    @Test("two misses in a row suspend; one action brings a worker back")
    func suspension() throws {
        let job = try JobStage.started(JobStage.spec { $0.rounds = 6 })
        let lead = try job.lead
        for round: UInt32 in 0..<2 {
            try job.commit([lead, job.workers[0]], round)
            try job.passDeadline()
            try job.reveal([lead, job.workers[0]], round)
            #expect(job.validate(600_000, round) == .done)
        }
        #expect(try job.member(job.workers[1]).standing == .suspended)
        #expect(
            Set(job.takeVerdicts().filter { $0.hasPrefix("worker 1") })
                == ["worker 1: absent r0/v", "worker 1: absent r1/v"])
        // The round goes on without it, and it is back in the next.
        try job.commit([lead, job.workers[0]], 2)
        #expect(try job.status().phase == .reveal)
        #expect(job.send(job.workers[1], 4) == .done)
        try job.reveal([lead, job.workers[0]], 2)
        #expect(job.validate(600_000, 2) == .done)
        #expect(try job.member(job.workers[1]).standing == .active)
        try job.play(3, metric: 600_000)
        #expect(try job.history().last?.credited == 2)
    }

    @Test("commit without reveal is a fault; three starved rounds pause, and a paused job ends by itself")
    func faultsAndPauses() throws {
        let job = try JobStage.started(JobStage.spec { $0.rounds = 9 })
        let crew = [try job.lead] + job.workers
        try job.commit(crew, 0)
        try job.reveal([crew[0], crew[1]], 0)
        try job.passDeadline()
        #expect(job.validate(600_000, 0) == .done)
        #expect(job.takeVerdicts().contains("worker 1: not revealed r0/v"))
        // The committee falls silent.
        for round: UInt32 in 1...3 {
            try job.commit(crew, round)
            try job.reveal(crew, round)
            try job.passDeadline()
        }
        let status = try job.status()
        #expect(status.phase == .paused && status.reason == "starved: no validation in time")
        #expect(job.takeVerdicts().isEmpty, "without a validation nothing is found about anybody")
        #expect(try job.members().allSatisfy { $0.misses == 0 })
        try job.passDeadline()
        #expect(try job.status().phase == .aborted && job.status().reason == "ended after too long a pause")
        // What was earned is there; the rest is the owner's.
        #expect(job.send(crew[1], 9) == .done)
        #expect(job.send(JobStage.owner, 8) == .done)
        #expect(job.chain.state.balances[JobStage.owner.account] == UInt128(9 * 130 - 100))
        #expect(job.send(crew[0], 9) == .done)
    }

    @Test("what the frequent calls of a job cost")
    func gas() throws {
        let job = try JobStage.started()
        let edge = job.workers[0]
        var spent: [(String, UInt64)] = []
        #expect(try job.commit(edge, 0) == .done)
        spent.append(("commit", job.chain.actionGas))
        try job.commit([try job.lead, job.workers[1]], 0)
        #expect(try job.reveal(edge, 0) == .done)
        spent.append(("reveal", job.chain.actionGas))
        try job.reveal([try job.lead, job.workers[1]], 0)
        job.chain.largestScheduledGas = 0
        #expect(job.validate(500_000, 0) == .done)
        spent.append(("validation", job.chain.actionGas))
        spent.append(("closing a round", job.chain.largestScheduledGas))
        #expect(job.chain.query([1]).outcome == .done)
        spent.append(("query of participants", job.chain.gasUsed))
        print("gas of the job:", spent.map { "\($0.0) \($0.1)" }.joined(separator: ", "))
        for (what, gas) in spent { #expect(gas < 150_000, "\(what): \(gas)") }
    }

    @Test("a round of the most workers closes within one scheduled call")
    func manyWorkers() throws {
        let job = try JobStage.started(
            JobStage.spec { ($0.workers, $0.quorum, $0.rounds, $0.trainingProtocol) = (JobSpec.mostWorkers, 30, 1, .fog) })
        let crew = [try job.lead] + job.workers
        try job.commit(crew, 0)
        try job.reveal(crew, 0)
        #expect(job.validate(600_000, 0) == .done)
        #expect(try job.history().first?.credited == JobSpec.mostWorkers)
        print("gas of closing a round of the most workers:", job.chain.largestScheduledGas)
        // The interpreter's part; storage comes on top, some 500 accesses.
        #expect(job.chain.largestScheduledGas < 6_000_000)
    }
}
