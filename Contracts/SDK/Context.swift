/// What the chain says about the running call.
struct Context {
    enum Kind: UInt32 {
        case initialize = 0
        case action = 1
        case scheduled = 2
        case query = 3
        /// An action that another contract calls; `caller` is that contract.
        case contractCall = 4
        /// Of the new code, once, when it takes the place of the old one: an export `upgrade`.
        case upgrade = 5
        /// The last call, when the service ends: an export `retire`.
        case retire = 6
    }

    /// The host's block of fixed layout.
    private let block: UnsafeRawPointer
    private static let blockSize = 216

    static func current() -> Context {
        let block = Arena.take(blockSize)
        host_context(block)
        return Context(block: UnsafeRawPointer(block))
    }

    /// The contract's own account.
    var contract: Account { account(at: 0) }
    /// Who sent the action; for a scheduled call the contract itself; zero in a query.
    var caller: Account { account(at: 32) }
    /// Whose service it is now.
    var owner: Account { account(at: 64) }
    var isOwner: Bool { caller == owner }

    var height: UInt64 { integer(at: 96) }
    /// Header time of the block.
    var time: Milliseconds { integer(at: 104) }
    /// What came with the call; the balance has it already.
    var value: Amount { amount(at: 112) }
    var balance: Amount { amount(at: 128) }

    var kind: Kind { Kind(rawValue: integer(at: 144)) ?? .query }
    /// The action's number; in a scheduled call the `entry` given to ``Chain/schedule(_:entry:data:)``.
    var actionId: UInt32 { integer(at: 148) }
    /// The item within the service, at most 32 bytes.
    var postId: Bytes { Bytes(start: block + 156, count: Int(min(integer(at: 152, UInt32.self), 32))) }
    /// Informational: the gas left when the call began.
    var gasLeft: UInt64 { integer(at: 188) }
    var inputLength: UInt32 { integer(at: 196) }

    /// The call's data, whole.
    @inline(never)
    func input() -> Bytes {
        let length = Int(inputLength)
        let start = Arena.take(length)
        host_input(start, 0, Int32(truncatingIfNeeded: length))
        return Bytes(start: UnsafeRawPointer(start), count: length)
    }

    /// The call's data as one value; fails the call when it is anything else.
    /// - Parameter subject: what the data is, for the message.
    func decode<Value: BorshCodable>(_: Value.Type = Value.self, _ subject: StaticString) -> Value {
        var reader = reader(subject)
        let value = Value(from: &reader)
        reader.finish()
        return value
    }

    /// Fails the call unless it came without data.
    func expectNoInput(_ subject: StaticString) { reader(subject).finish() }

    /// The call's data, to be read piece by piece.
    @inline(never)
    func reader(_ subject: StaticString) -> Reader { Reader(input(), of: subject) }

    @inline(never)
    private func account(at offset: Int) -> Account { Account(bytes: Bytes32(at: block + offset)) }

    private func integer<Integer: FixedWidthInteger>(at offset: Int, _: Integer.Type = Integer.self) -> Integer {
        Integer(littleEndian: block.loadUnaligned(fromByteOffset: offset, as: Integer.self))
    }

    private func amount(at offset: Int) -> Amount {
        UInt128(integer(at: offset + 8, UInt64.self)) << 64 | UInt128(integer(at: offset, UInt64.self))
    }
}
