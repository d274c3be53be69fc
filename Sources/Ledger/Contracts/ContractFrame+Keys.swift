import Encoding
import Primitives
import WebAssembly

/// A contract's list of keys: an ordered set of byte strings in the state, which it keeps itself and walks through in
/// ascending order. Every page that is touched is paid for before it is read.
extension ContractFrame {
    /// The way from the root to a leaf.
    private struct Step {
        let number: UInt64
        var page: KeyPage
        /// Place of the child that was taken.
        var place = 0
    }

    /// 1 where the key is new.
    func insertKey(_ arguments: HostArguments, _ context: HostContext) throws(Trap) -> UInt64 {
        let key = try listedKey(arguments, 0, context, "key")
        guard !key.isEmpty else { throw refusal("a key of the list is empty") }
        var way = try wayTo(key, context)
        guard var leaf = way.popLast() else { throw refusal("the list of keys has no root") }
        let place = leaf.page.place(of: key)
        if leaf.page.entries.indices.contains(place), leaf.page.entries[place].key == key { return 0 }
        leaf.page.entries.insert(KeyPage.Entry(key: key), at: place)
        var root = way.first?.page ?? leaf.page
        while leaf.page.entries.count > KeyPage.width {
            let upper = leaf.page.split()
            guard let least = upper.entries.first?.key else { throw refusal("a page of the list has no half") }
            let number = root.next
            root.next = number.addingSaturating(1)
            try write(upper, number, context)
            if var parent = way.popLast() {
                try write(leaf.page, leaf.number, context)
                parent.page.lower(parent.place, to: leaf.page)
                parent.page.entries.insert(KeyPage.Entry(key: least, child: number), at: parent.place + 1)
                leaf = parent
            } else {
                // The root's number stays: its lower half goes to a page of its own, too.
                let lower = root.next
                root.next = lower.addingSaturating(1)
                let first = leaf.page.entries.first?.key ?? []
                try write(KeyPage(level: leaf.page.level, entries: leaf.page.entries), lower, context)
                leaf.page = KeyPage(
                    level: leaf.page.level + 1,
                    entries: [KeyPage.Entry(key: first, child: lower), KeyPage.Entry(key: least, child: number)])
            }
        }
        if leaf.number == 0 {
            leaf.page.next = root.next
            try write(leaf.page, 0, context)
        } else {
            try write(leaf.page, leaf.number, context)
            if var top = way.first?.page, top.next != root.next {
                top.next = root.next
                try write(top, 0, context)
            }
        }
        return 1
    }

    /// 1 where the key was there.
    func removeKey(_ arguments: HostArguments, _ context: HostContext) throws(Trap) -> UInt64 {
        let key = try listedKey(arguments, 0, context, "key")
        var way = try wayTo(key, context)
        guard var step = way.popLast() else { throw refusal("the list of keys has no root") }
        let place = step.page.place(of: key)
        guard step.page.entries.indices.contains(place), step.page.entries[place].key == key else { return 0 }
        step.page.entries.remove(at: place)
        while step.page.entries.isEmpty, let parent = way.popLast() {
            try write(nil, step.number, context)
            step = parent
            step.page.entries.remove(at: step.place)
        }
        try write(step.page.entries.isEmpty ? nil : step.page, step.number, context)
        return 1
    }

    /// Length of the first key above `after` that begins with `prefix`, which is copied as far as it has room; -1 where
    /// there is none.
    func nextKey(_ arguments: HostArguments, _ context: HostContext) throws(Trap) -> UInt64 {
        let prefix = try listedKey(arguments, 0, context, "prefix")
        let after = try listedKey(arguments, 2, context, "key to go on after")
        let isFresh = after.lexicographicallyPrecedes(prefix)
        let from = isFresh || after.isEmpty ? prefix : after
        var way = try wayTo(from, context)
        guard let leaf = way.popLast() else { return minusOne }
        var place = leaf.page.place(of: from)
        if !isFresh, !after.isEmpty, leaf.page.entries.indices.contains(place), leaf.page.entries[place].key == after {
            place += 1
        }
        var found = leaf.page.entries.indices.contains(place) ? leaf.page.entries[place].key : nil
        // The next leaf begins with what is next: up to where another child follows, and down its first ones.
        while found == nil, let branch = way.popLast() {
            guard branch.page.entries.indices.contains(branch.place + 1) else { continue }
            var page = try read(branch.page.entries[branch.place + 1].child, context)
            while !page.isLeaf, let first = page.entries.first { page = try read(first.child, context) }
            found = page.entries.first?.key
        }
        guard let found, found.starts(with: prefix) else { return minusOne }
        try context.chargeGas(HostGas.copy(found.count))
        try context.writeMemory(found.prefix(Int(try arguments.i32(5))), at: try arguments.i32(4))
        return UInt64(found.count)
    }

    private func listedKey(
        _ arguments: HostArguments, _ index: Int, _ context: HostContext, _ what: String
    ) throws(Trap) -> [UInt8] {
        try bytes(context, arguments, index, limit: Self.longestKey, what)
    }

    /// Never empty: a list that is not there has an empty leaf as its root.
    private func wayTo(_ key: [UInt8], _ context: HostContext) throws(Trap) -> [Step] {
        var way: [Step] = []
        var number: UInt64 = 0
        while true {
            var step = Step(number: number, page: try read(number, context))
            guard !step.page.isLeaf else { return way + [step] }
            step.place = step.page.childPlace(of: key)
            guard step.page.entries.indices.contains(step.place) else {
                throw refusal("a branch of the list of keys is empty")
            }
            number = step.page.entries[step.place].child
            way.append(step)
        }
    }

    private func read(_ number: UInt64, _ context: HostContext) throws(Trap) -> KeyPage {
        let key = StateKey.keyPage(contract, number)
        try context.chargeGas(executor.readGas(key).addingSaturating(HostGas.keyPage))
        return try reading { () throws(LedgerError) in try overlay.value(key) ?? KeyPage() }
    }

    /// The deposit of what a page takes is the contract's, as that of any other key.
    private func write(_ page: KeyPage?, _ number: UInt64, _ context: HostContext) throws(Trap) {
        let key = StateKey.keyPage(contract, number)
        let bytes = page?.borsh
        try context.chargeGas(
            executor.writeGas(key, bytes: key.bytes.count + (bytes?.count ?? 0)).addingSaturating(HostGas.keyPage))
        try set(key, bytes)
    }
}
