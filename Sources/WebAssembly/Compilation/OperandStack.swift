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
    /// The next operand below that lives in the same local variable; -1 if there is none.
    fileprivate(set) var nextAlias: Int32 = -1
}

/// The operand stack at compile time. It knows which operands are really local variables, so that a local's
/// value can be saved before the local changes, and operands can be settled before control flow may meet.
///
/// The operands that live in one local form a list from the topmost down, so that saving them takes no search: a
/// search through all operands for each `local.set` would make checking quadratic.
struct OperandStack: ~Copyable {
    private(set) var operands: [Operand] = []
    private var localCount = 0
    /// For each local the topmost operand that lives in it; -1 if there is none. All -1 while the stack is empty, so
    /// that a function need not clear it, however many locals it declares.
    private var aliases: [Int32] = []
    /// The number of operands that live in any local.
    private(set) var aliasCount = 0
    /// The most operands at a time so far.
    private(set) var highest = 0

    var count: Int { operands.count }

    /// Begins a function. The stack must be empty.
    mutating func reset(locals: Int) {
        localCount = locals
        if aliases.count < locals {
            aliases.append(contentsOf: repeatElement(-1, count: locals - aliases.count))
        }
        highest = 0
    }

    /// The slot of the position at this height.
    func home(at height: Int) -> UInt16 {
        UInt16(truncatingIfNeeded: localCount + height)
    }

    func isLocal(_ place: Place) -> Bool {
        if case .slot(let slot) = place { Int(slot) < localCount } else { false }
    }

    /// Whether an operand is in its home and known to have this type.
    func isSettled(at index: Int, as type: ValueType) -> Bool {
        let operand = operands[index]
        guard operand.type == type, case .slot(let slot) = operand.place else { return false }
        return slot == operand.home
    }

    /// The topmost operand that lives in a local.
    func topAlias(of local: Int) -> Int? {
        let index = aliases[local]
        return index < 0 ? nil : Int(index)
    }

    /// An operand in its home.
    mutating func push(_ type: ValueType?) {
        let home = home(at: operands.count)
        operands.append(Operand(type: type, place: .slot(home), home: home))
        if operands.count > highest { highest = operands.count }
    }

    mutating func push(_ type: ValueType?, constant: UInt64) {
        operands.append(Operand(type: type, place: .constant(constant), home: home(at: operands.count)))
        if operands.count > highest { highest = operands.count }
    }

    mutating func push(_ type: ValueType?, local: Int) {
        let index = operands.count
        operands.append(
            Operand(
                type: type, place: .slot(UInt16(truncatingIfNeeded: local)), home: home(at: index),
                nextAlias: aliases[local]))
        aliases[local] = Int32(truncatingIfNeeded: index)
        aliasCount += 1
        if operands.count > highest { highest = operands.count }
    }

    mutating func pop() -> Operand? {
        guard let operand = operands.popLast() else { return nil }
        if case .slot(let slot) = operand.place, Int(slot) < localCount {
            aliases[Int(slot)] = operand.nextAlias
            aliasCount -= 1
        }
        return operand
    }

    mutating func truncate(to height: Int) {
        if aliasCount == 0 {
            if operands.count > height { operands.removeLast(operands.count - height) }
            return
        }
        while operands.count > height { _ = pop() }
    }

    /// Notes that an operand's value is in its home now. Of the operands that live in one local, the topmost must
    /// be settled first.
    mutating func settle(at index: Int) {
        if case .slot(let slot) = operands[index].place, Int(slot) < localCount {
            aliases[Int(slot)] = operands[index].nextAlias
            aliasCount -= 1
        }
        operands[index].place = .slot(operands[index].home)
    }
}
