// The contract's entry points, over the SDK.

typealias Deployed = Job

enum Job: Contract {
    static func initialize(_ context: Context) {
        let chain = JobChain(context: context)
        let input = context.input()
        let machine = RoundMachine.initialize(chain, jobDecode(input, "job specification"))
        // What comes with the registration is the service's deposit, not for the workers.
        chain.store(Keys.spec.bytes, input)
        chain.set(Keys.state, machine.state)
    }

    static func action(_ context: Context) {
        let machine = machine(context)
        machine.perform(
            JobAct(
                caller: context.caller, actionId: context.actionId, post: context.postId, data: context.input(),
                value: context.value, balance: context.balance))
        machine.chain.set(Keys.state, machine.state)
    }

    static func scheduled(_ context: Context) {
        // There is one entry; the state decides what it does.
        guard context.actionId == RoundMachine.entry else { return }
        let machine = machine(context)
        machine.run()
        machine.chain.set(Keys.state, machine.state)
    }

    static func query(_ context: Context) {
        let machine = machine(context)
        let input = context.input()
        guard !input.isEmpty, let query = JobQuery(rawValue: input[0]) else {
            Chain.fail("not a job's query")
        }
        if query == .owed, input.count != 33 { Chain.fail("it names no account") }
        Chain.reply(raw: machine.answer(query, account: Account(bytes: jobField(input, at: 1).bytes)))
    }

    private static func machine(_ context: Context) -> RoundMachine {
        let chain = JobChain(context: context)
        guard let spec = chain.get(Keys.spec), let state = chain.get(Keys.state) else {
            Chain.fail("the job is not initialised")
        }
        return RoundMachine(chain: chain, spec: spec, state: state)
    }
}
