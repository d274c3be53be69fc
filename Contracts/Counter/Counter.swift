/// # Counter and notary: the smallest contract that uses most of the SDK.
///
/// | action | data | effect |
/// |---|---|---|
/// | 256 add | `u64` | adds to the counter |
/// | 257 notarise | `[u8; 32]` digest | records who showed the digest first, and when |
/// | 258 add later | `{ amount: u64, delayMs: u64 }` | a scheduled call adds, though nobody sends anything |
/// | 259 notarise all | `Vec<[u8; 32]>`, at most 32 | the same for each digest that is new; refused if none is |
///
/// | query | reply |
/// |---|---|
/// | `[]` | the counter, `u64` |
/// | `[u8; 32]` digest | `Option<{ account, time: u64, height: u64 }>` |
///
/// Init data: nothing, or the counter's first value as `u64`.
typealias Deployed = Counter

enum Counter: Contract {
    private static var count: Key<UInt64> { "count" }
    private static func note(_ digest: Digest) -> Key<Note> { Key("note/", digest) }

    static func initialize(_ context: Context) {
        guard context.inputLength > 0 else { return }
        Storage.set(count, context.decode(UInt64.self, "init data"))
    }

    static func action(_ context: Context) {
        guard context.value == 0 else { Chain.fail("this contract takes no money") }
        switch context.actionId {
        case 256: add(context.decode(UInt64.self, "amount"))
        case 257: notarise(context.decode(Digest.self, "digest"), context)
        case 258: addLater(context.decode(DelayedAmount.self, "delayed amount"), context)
        case 259: notariseAll(context.decode([Digest].self, "digests"), context)
        default: Chain.fail("action \(context.actionId) is not one of this contract's: 256 to 259")
        }
    }

    static func scheduled(_ context: Context) {
        add(context.decode(UInt64.self, "scheduled amount"))
    }

    static func query(_ context: Context) {
        guard context.inputLength > 0 else { return Chain.reply(Storage.get(count) ?? 0) }
        Chain.reply(Storage.get(note(context.decode(Digest.self, "digest"))))
    }

    private static func add(_ amount: UInt64) {
        let (sum, overflow) = (Storage.get(count) ?? 0).addingReportingOverflow(amount)
        guard !overflow else { Chain.fail("the counter would overflow") }
        Storage.set(count, sum)
        Chain.emit("count", sum)
    }

    private static func addLater(_ order: DelayedAmount, _ context: Context) {
        let due = saturatingAdd(context.time, order.delay)
        guard Chain.schedule(.at(due), entry: 1, data: order.amount) else {
            Chain.fail("no call can be scheduled: deposit, credits or queue too small")
        }
    }

    private static func notarise(_ digest: Digest, _ context: Context) {
        guard Storage.get(note(digest)) == nil else { Chain.fail("\(digest) is recorded already") }
        record(digest, context)
    }

    private static func notariseAll(_ digests: [Digest], _ context: Context) {
        guard digests.count <= 32 else { Chain.fail("at most 32 digests at a time") }
        var new: [Digest] = []
        for digest in digests where !new.contains(digest) && Storage.get(note(digest)) == nil {
            new.append(digest)
        }
        guard !new.isEmpty else { Chain.fail("all of these digests are recorded already") }
        for digest in new { record(digest, context) }
    }

    private static func record(_ digest: Digest, _ context: Context) {
        let entry = Note(account: context.caller, time: context.time, height: context.height)
        Storage.set(note(digest), entry)
        Chain.emit("note", entry)
    }
}

/// Who showed a digest first.
struct Note: BorshCodable {
    let account: Account
    let time: Milliseconds
    let height: UInt64

    init(account: Account, time: Milliseconds, height: UInt64) {
        self.account = account
        self.time = time
        self.height = height
    }

    init(from reader: inout Reader) {
        account = Account(from: &reader)
        time = reader.integer()
        height = reader.integer()
    }

    func encode(to writer: inout Writer) {
        writer.write(account)
        writer.write(time)
        writer.write(height)
    }
}

/// An amount to add after a while.
struct DelayedAmount: BorshCodable {
    let amount: UInt64
    let delay: Milliseconds

    init(from reader: inout Reader) {
        amount = reader.integer()
        delay = reader.integer()
    }

    func encode(to writer: inout Writer) {
        writer.write(amount)
        writer.write(delay)
    }
}
