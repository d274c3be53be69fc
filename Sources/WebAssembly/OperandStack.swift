/// Where an operand's value is at run time.
enum Place: Hashable {
    /// In a slot of the frame: its own place on the operand stack, or a local variable's if `local.get` pushed it
    /// and nothing has forced a copy yet.
    case slot(UInt16)
    /// Nowhere: it is known.
    case constant(UInt64)
}

/// An operand as validation and compilation see it.
struct Operand {
    /// nil in unreachable code, where any type fits.
    var type: ValueType?
    var place: Place
    /// The slot of the operand's position on the stack.
    var home: UInt16
}

/// The operand stack at compile time. It counts which operands are really local variables, so that a local's
/// value can be saved before the local changes, and operands can be settled before control flow may meet.
struct OperandStack {
    private(set) var operands: [Operand] = []
    private var localCount = 0
    /// For each local the number of operands that live in it.
    private var aliases: [Int] = []
    /// The number of operands that live in any local.
    private(set) var aliasCount = 0
    /// The most operands at a time so far.
    private(set) var highest = 0

    var count: Int { operands.count }

    mutating func reset(locals: Int) {
        operands.removeAll(keepingCapacity: true)
        localCount = locals
        aliases.removeAll(keepingCapacity: true)
        aliases.append(contentsOf: repeatElement(0, count: locals))
        aliasCount = 0
        highest = 0
    }

    /// The slot of the position at this height.
    func home(at height: Int) -> UInt16 {
        UInt16(truncatingIfNeeded: localCount + height)
    }

    func isLocal(_ place: Place) -> Bool {
        if case .slot(let slot) = place { Int(slot) < localCount } else { false }
    }

    func aliasCount(of local: Int) -> Int { aliases[local] }

    mutating func push(_ type: ValueType?, _ place: Place? = nil) {
        let home = home(at: count)
        let operand = Operand(type: type, place: place ?? .slot(home), home: home)
        operands.append(operand)
        track(operand.place, +1)
        highest = max(highest, count)
    }

    mutating func pop() -> Operand? {
        guard let operand = operands.popLast() else { return nil }
        track(operand.place, -1)
        return operand
    }

    mutating func truncate(to height: Int) {
        while count > height { _ = pop() }
    }

    /// Notes that an operand's value is in its home now.
    mutating func settle(at index: Int) {
        track(operands[index].place, -1)
        operands[index].place = .slot(operands[index].home)
    }

    private mutating func track(_ place: Place, _ change: Int) {
        guard case .slot(let slot) = place, Int(slot) < localCount else { return }
        aliases[Int(slot)] += change
        aliasCount += change
    }
}
