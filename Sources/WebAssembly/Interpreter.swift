/// The interpreter: one flat loop over the compiled code. Calls push a ``CallFrame`` and don't recurse.
///
/// The loop's state is in local variables, so that it stays in machine registers; ``Instance/gasLeft`` and the
/// memory are brought up to date around everything that leaves the loop.
extension Instance {
    /// Runs a function of the module, numbered without the imports. Its arguments are at the start of the value
    /// stack; its results come to the same place.
    func execute(_ function: Int) -> Outcome {
        let compiled = module.contents.code
        return compiled.instructions.withUnsafeBufferPointer { code in
            compiled.functions.withUnsafeBufferPointer { functions in
                compiled.jumpTargets.withUnsafeBufferPointer { jumpTargets in
                    module.contents.signatures.withUnsafeBufferPointer { signatures in
                        run(function, code.baseAddress, functions, jumpTargets, signatures)
                    }
                }
            }
        }
    }

    private func run(
        _ function: Int, _ code: UnsafePointer<Instruction>?, _ functions: UnsafeBufferPointer<CompiledFunction>,
        _ jumpTargets: UnsafeBufferPointer<UInt32>, _ signatures: UnsafeBufferPointer<UInt32>
    ) -> Outcome {
        guard let code, let functions = functions.baseAddress, let stack = valueStack.baseAddress,
            let bottom = callStack.baseAddress, let table = table.baseAddress, let globals = globals.baseAddress,
            let signatures = signatures.baseAddress
        else { return .callStackExhausted }
        // Without jump targets there is no instruction that reads them.
        let jumpTargets = jumpTargets.baseAddress ?? signatures
        let importCount = UInt32(truncatingIfNeeded: module.contents.imports.count)
        let tableCount = UInt32(truncatingIfNeeded: module.contents.tableEntries ?? 0)
        let end = stack + valueStack.count
        let entered = functions[function]
        guard entered.frameSlots <= valueStack.count else { return .callStackExhausted }
        // The entered function is an active call without a frame on the call stack.
        let last = bottom + (callStack.count - 1)
        var top = bottom
        var r = Registers(base: stack)
        (stack + entered.parameters).initialize(repeating: 0, count: entered.zeroedLocals)
        var next = code + entered.entry
        var gas = gasLeft
        var view = MemoryView(base: memory.base, count: UInt64(memory.count))
        var outcome = Outcome.finished

        loop: while true {
            let i = next.pointee
            next += 1
            switch i.operation {
            case .unreachable:
                outcome = .unreachable
                break loop
            case .gas:
                guard gas >= i.immediate else {
                    gas = 0
                    outcome = .outOfGas
                    break loop
                }
                gas &-= i.immediate
            case .jump:
                next = code + Int(i.lower)
            case .jumpIfNonZero:
                if r[i.b] != 0 { next = code + Int(i.lower) }
            case .jumpIfZero:
                if r[i.b] == 0 { next = code + Int(i.lower) }
            case .jumpIfEqual:
                if r[i.b] == r[i.c] { next = code + Int(i.lower) }
            case .jumpIfNotEqual:
                if r[i.b] != r[i.c] { next = code + Int(i.lower) }
            case .jumpIfLessU:
                if r[i.b] < r[i.c] { next = code + Int(i.lower) }
            case .jumpIfGreaterOrEqualU:
                if r[i.b] >= r[i.c] { next = code + Int(i.lower) }
            case .jumpIfLess32S:
                if r.s32(i.b) < r.s32(i.c) { next = code + Int(i.lower) }
            case .jumpIfGreaterOrEqual32S:
                if r.s32(i.b) >= r.s32(i.c) { next = code + Int(i.lower) }
            case .jumpIfEqualConstant:
                if r[i.b] == UInt64(i.upper) { next = code + Int(i.lower) }
            case .jumpIfNotEqualConstant:
                if r[i.b] != UInt64(i.upper) { next = code + Int(i.lower) }
            case .jumpIfLessUConstant:
                if r[i.b] < UInt64(i.upper) { next = code + Int(i.lower) }
            case .jumpIfGreaterOrEqualUConstant:
                if r[i.b] >= UInt64(i.upper) { next = code + Int(i.lower) }
            case .jumpIfGreaterUConstant:
                if r[i.b] > UInt64(i.upper) { next = code + Int(i.lower) }
            case .jumpIfLessOrEqualUConstant:
                if r[i.b] <= UInt64(i.upper) { next = code + Int(i.lower) }
            case .jumpIfLess32SConstant:
                if r.s32(i.b) < Int32(bitPattern: i.upper) { next = code + Int(i.lower) }
            case .jumpIfGreaterOrEqual32SConstant:
                if r.s32(i.b) >= Int32(bitPattern: i.upper) { next = code + Int(i.lower) }
            case .jumpIfGreater32SConstant:
                if r.s32(i.b) > Int32(bitPattern: i.upper) { next = code + Int(i.lower) }
            case .jumpIfLessOrEqual32SConstant:
                if r.s32(i.b) <= Int32(bitPattern: i.upper) { next = code + Int(i.lower) }
            case .jumpTable:
                let entry = Int(i.lower) + Int(min(r.u32(i.b), i.upper))
                next = code + Int(jumpTargets[entry])
            case .returnNone:
                guard top > bottom else { break loop }
                top -= 1
                next = top.pointee.next
                r.base = top.pointee.frame
            case .returnOne:
                r[0] = r[i.b]
                guard top > bottom else { break loop }
                top -= 1
                next = top.pointee.next
                r.base = top.pointee.frame
            case .returnMany:
                r.base.update(from: r.base + Int(i.b), count: Int(i.lower))
                guard top > bottom else { break loop }
                top -= 1
                next = top.pointee.next
                r.base = top.pointee.frame
            case .call:
                let callee = functions[Int(i.lower)]
                let frame = r.base + Int(i.a)
                guard top < last, callee.frameSlots <= end - frame else {
                    outcome = .callStackExhausted
                    break loop
                }
                top.initialize(to: CallFrame(next: next, frame: r.base))
                top += 1
                (frame + callee.parameters).initialize(repeating: 0, count: callee.zeroedLocals)
                r.base = frame
                next = code + callee.entry
            case .callHost:
                gasLeft = gas
                outcome = callHost(Int(i.lower), r.base + Int(i.a))
                gas = gasLeft
                view = MemoryView(base: memory.base, count: UInt64(memory.count))
                if outcome != .finished { break loop }
            case .callIndirect:
                let index = r.u32(i.b)
                guard index < tableCount else {
                    outcome = .undefinedElement
                    break loop
                }
                let function = table[Int(index)]
                guard function != ElementSegment.emptyEntry else {
                    outcome = .uninitializedElement
                    break loop
                }
                guard signatures[Int(function)] == i.lower else {
                    outcome = .indirectCallTypeMismatch
                    break loop
                }
                if function < importCount {
                    guard gas >= Gas.hostCall else {
                        outcome = .outOfGas
                        break loop
                    }
                    gas &-= Gas.hostCall
                    gasLeft = gas
                    outcome = callHost(Int(function), r.base + Int(i.a))
                    gas = gasLeft
                    view = MemoryView(base: memory.base, count: UInt64(memory.count))
                    if outcome != .finished { break loop }
                    continue loop
                }
                let callee = functions[Int(function &- importCount)]
                let frame = r.base + Int(i.a)
                guard top < last, callee.frameSlots <= end - frame else {
                    outcome = .callStackExhausted
                    break loop
                }
                top.initialize(to: CallFrame(next: next, frame: r.base))
                top += 1
                (frame + callee.parameters).initialize(repeating: 0, count: callee.zeroedLocals)
                r.base = frame
                next = code + callee.entry

            case .copy:
                r[i.a] = r[i.b]
            case .constant:
                r[i.a] = i.immediate
            case .copyMany:
                (r.base + Int(i.a)).update(from: r.base + Int(i.b), count: Int(i.lower))
            case .select:
                r[i.a] = r.base[Int(i.lower)] != 0 ? r[i.b] : r[i.c]
            case .globalGet:
                r[i.a] = globals[Int(i.lower)]
            case .globalSet:
                globals[Int(i.lower)] = r[i.b]

            case .load8U:
                guard let value = view.load(r.u32(i.b), i.lower, as: UInt8.self) else {
                    outcome = .memoryOutOfBounds
                    break loop
                }
                r.set(i.a, UInt32(value))
            case .load16U:
                guard let value = view.load(r.u32(i.b), i.lower, as: UInt16.self) else {
                    outcome = .memoryOutOfBounds
                    break loop
                }
                r.set(i.a, UInt32(value))
            case .load32:
                guard let value = view.load(r.u32(i.b), i.lower, as: UInt32.self) else {
                    outcome = .memoryOutOfBounds
                    break loop
                }
                r.set(i.a, value)
            case .load64:
                guard let value = view.load(r.u32(i.b), i.lower, as: UInt64.self) else {
                    outcome = .memoryOutOfBounds
                    break loop
                }
                r.set(i.a, value)
            case .load8S32:
                guard let value = view.load(r.u32(i.b), i.lower, as: Int8.self) else {
                    outcome = .memoryOutOfBounds
                    break loop
                }
                r.set(i.a, Int32(value))
            case .load16S32:
                guard let value = view.load(r.u32(i.b), i.lower, as: Int16.self) else {
                    outcome = .memoryOutOfBounds
                    break loop
                }
                r.set(i.a, Int32(value))
            case .load8S64:
                guard let value = view.load(r.u32(i.b), i.lower, as: Int8.self) else {
                    outcome = .memoryOutOfBounds
                    break loop
                }
                r.set(i.a, Int64(value))
            case .load16S64:
                guard let value = view.load(r.u32(i.b), i.lower, as: Int16.self) else {
                    outcome = .memoryOutOfBounds
                    break loop
                }
                r.set(i.a, Int64(value))
            case .load32S64:
                guard let value = view.load(r.u32(i.b), i.lower, as: Int32.self) else {
                    outcome = .memoryOutOfBounds
                    break loop
                }
                r.set(i.a, Int64(value))
            case .store8:
                guard view.store(UInt8(truncatingIfNeeded: r[i.c]), r.u32(i.b), i.lower) else {
                    outcome = .memoryOutOfBounds
                    break loop
                }
            case .store16:
                guard view.store(UInt16(truncatingIfNeeded: r[i.c]), r.u32(i.b), i.lower) else {
                    outcome = .memoryOutOfBounds
                    break loop
                }
            case .store32:
                guard view.store(UInt32(truncatingIfNeeded: r[i.c]), r.u32(i.b), i.lower) else {
                    outcome = .memoryOutOfBounds
                    break loop
                }
            case .store64:
                guard view.store(UInt64(truncatingIfNeeded: r[i.c]), r.u32(i.b), i.lower) else {
                    outcome = .memoryOutOfBounds
                    break loop
                }
            case .memorySize:
                r.set(i.a, UInt32(truncatingIfNeeded: view.count / UInt64(Limits.pageBytes)))
            case .memoryGrow:
                gasLeft = gas
                let before = growMemory(by: r.u32(i.b))
                gas = gasLeft
                guard let before else {
                    outcome = .outOfGas
                    break loop
                }
                view = MemoryView(base: memory.base, count: UInt64(memory.count))
                r.set(i.a, before)
            case .memoryCopy:
                gasLeft = gas
                outcome = copyMemory(to: r.u32(i.a), from: r.u32(i.b), count: r.u32(i.c))
                gas = gasLeft
                if outcome != .finished { break loop }
            case .memoryFill:
                gasLeft = gas
                outcome = fillMemory(at: r.u32(i.a), with: r.u32(i.b), count: r.u32(i.c))
                gas = gasLeft
                if outcome != .finished { break loop }
            case .memoryInit:
                gasLeft = gas
                outcome = initializeMemory(
                    at: r.u32(i.a), from: r.u32(i.b), count: r.u32(i.c), segment: Int(i.lower))
                gas = gasLeft
                if outcome != .finished { break loop }
            case .dataDrop:
                droppedData[Int(i.lower)] = true
            case .tableCopy:
                gasLeft = gas
                outcome = copyTable(to: r.u32(i.a), from: r.u32(i.b), count: r.u32(i.c))
                gas = gasLeft
                if outcome != .finished { break loop }
            case .tableInit:
                gasLeft = gas
                outcome = initializeTable(
                    at: r.u32(i.a), from: r.u32(i.b), count: r.u32(i.c), segment: Int(i.lower))
                gas = gasLeft
                if outcome != .finished { break loop }
            case .elementDrop:
                droppedElements[Int(i.lower)] = true

            case .equal:
                r.set(i.a, r[i.b] == r[i.c])
            case .notEqual:
                r.set(i.a, r[i.b] != r[i.c])
            case .lessU:
                r.set(i.a, r[i.b] < r[i.c])
            case .greaterOrEqualU:
                r.set(i.a, r[i.b] >= r[i.c])
            case .less32S:
                r.set(i.a, r.s32(i.b) < r.s32(i.c))
            case .greaterOrEqual32S:
                r.set(i.a, r.s32(i.b) >= r.s32(i.c))
            case .less64S:
                r.set(i.a, r.s64(i.b) < r.s64(i.c))
            case .greaterOrEqual64S:
                r.set(i.a, r.s64(i.b) >= r.s64(i.c))
            case .equalZero:
                r.set(i.a, r[i.b] == 0)
            case .equalConstant:
                r.set(i.a, r[i.b] == i.immediate)
            case .notEqualConstant:
                r.set(i.a, r[i.b] != i.immediate)
            case .lessUConstant:
                r.set(i.a, r[i.b] < i.immediate)
            case .greaterOrEqualUConstant:
                r.set(i.a, r[i.b] >= i.immediate)
            case .greaterUConstant:
                r.set(i.a, r[i.b] > i.immediate)
            case .lessOrEqualUConstant:
                r.set(i.a, r[i.b] <= i.immediate)
            case .less32SConstant:
                r.set(i.a, r.s32(i.b) < Int32(bitPattern: i.lower))
            case .greaterOrEqual32SConstant:
                r.set(i.a, r.s32(i.b) >= Int32(bitPattern: i.lower))
            case .greater32SConstant:
                r.set(i.a, r.s32(i.b) > Int32(bitPattern: i.lower))
            case .lessOrEqual32SConstant:
                r.set(i.a, r.s32(i.b) <= Int32(bitPattern: i.lower))
            case .less64SConstant:
                r.set(i.a, r.s64(i.b) < Int64(bitPattern: i.immediate))
            case .greaterOrEqual64SConstant:
                r.set(i.a, r.s64(i.b) >= Int64(bitPattern: i.immediate))
            case .greater64SConstant:
                r.set(i.a, r.s64(i.b) > Int64(bitPattern: i.immediate))
            case .lessOrEqual64SConstant:
                r.set(i.a, r.s64(i.b) <= Int64(bitPattern: i.immediate))

            case .clz32:
                r.set(i.a, UInt32(truncatingIfNeeded: r.u32(i.b).leadingZeroBitCount))
            case .clz64:
                r.set(i.a, UInt64(truncatingIfNeeded: r[i.b].leadingZeroBitCount))
            case .ctz32:
                r.set(i.a, UInt32(truncatingIfNeeded: r.u32(i.b).trailingZeroBitCount))
            case .ctz64:
                r.set(i.a, UInt64(truncatingIfNeeded: r[i.b].trailingZeroBitCount))
            case .popcount:
                r.set(i.a, UInt64(truncatingIfNeeded: r[i.b].nonzeroBitCount))
            case .add32:
                r.set(i.a, r.u32(i.b) &+ r.u32(i.c))
            case .add64:
                r.set(i.a, r[i.b] &+ r[i.c])
            case .subtract32:
                r.set(i.a, r.u32(i.b) &- r.u32(i.c))
            case .subtract64:
                r.set(i.a, r[i.b] &- r[i.c])
            case .multiply32:
                r.set(i.a, r.u32(i.b) &* r.u32(i.c))
            case .multiply64:
                r.set(i.a, r[i.b] &* r[i.c])
            case .divide32S:
                switch r.s32(i.b).wasmQuotient(r.s32(i.c)) {
                case .value(let value): r.set(i.a, value)
                case .failed(let reason):
                    outcome = reason
                    break loop
                }
            case .divide32U:
                switch r.u32(i.b).wasmQuotient(r.u32(i.c)) {
                case .value(let value): r.set(i.a, value)
                case .failed(let reason):
                    outcome = reason
                    break loop
                }
            case .divide64S:
                switch r.s64(i.b).wasmQuotient(r.s64(i.c)) {
                case .value(let value): r.set(i.a, value)
                case .failed(let reason):
                    outcome = reason
                    break loop
                }
            case .divide64U:
                switch r[i.b].wasmQuotient(r[i.c]) {
                case .value(let value): r.set(i.a, value)
                case .failed(let reason):
                    outcome = reason
                    break loop
                }
            case .remainder32S:
                switch r.s32(i.b).wasmRemainder(r.s32(i.c)) {
                case .value(let value): r.set(i.a, value)
                case .failed(let reason):
                    outcome = reason
                    break loop
                }
            case .remainder32U:
                switch r.u32(i.b).wasmRemainder(r.u32(i.c)) {
                case .value(let value): r.set(i.a, value)
                case .failed(let reason):
                    outcome = reason
                    break loop
                }
            case .remainder64S:
                switch r.s64(i.b).wasmRemainder(r.s64(i.c)) {
                case .value(let value): r.set(i.a, value)
                case .failed(let reason):
                    outcome = reason
                    break loop
                }
            case .remainder64U:
                switch r[i.b].wasmRemainder(r[i.c]) {
                case .value(let value): r.set(i.a, value)
                case .failed(let reason):
                    outcome = reason
                    break loop
                }
            case .and:
                r.set(i.a, r[i.b] & r[i.c])
            case .or:
                r.set(i.a, r[i.b] | r[i.c])
            case .xor:
                r.set(i.a, r[i.b] ^ r[i.c])
            case .shiftLeft32:
                r.set(i.a, r.u32(i.b) &<< r.u32(i.c))
            case .shiftLeft64:
                r.set(i.a, r[i.b] &<< r[i.c])
            case .shiftRight32S:
                r.set(i.a, r.s32(i.b) &>> Int32(bitPattern: r.u32(i.c)))
            case .shiftRight32U:
                r.set(i.a, r.u32(i.b) &>> r.u32(i.c))
            case .shiftRight64S:
                r.set(i.a, r.s64(i.b) &>> Int64(bitPattern: r[i.c]))
            case .shiftRight64U:
                r.set(i.a, r[i.b] &>> r[i.c])
            case .shiftLeft32Constant:
                r.set(i.a, r.u32(i.b) &<< i.lower)
            case .shiftLeft64Constant:
                r.set(i.a, r[i.b] &<< i.immediate)
            case .shiftRight32SConstant:
                r.set(i.a, r.s32(i.b) &>> Int32(bitPattern: i.lower))
            case .shiftRight32UConstant:
                r.set(i.a, r.u32(i.b) &>> i.lower)
            case .shiftRight64SConstant:
                r.set(i.a, r.s64(i.b) &>> Int64(bitPattern: i.immediate))
            case .shiftRight64UConstant:
                r.set(i.a, r[i.b] &>> i.immediate)
            case .rotateLeft32:
                r.set(i.a, r.u32(i.b).rotated(left: r.u32(i.c)))
            case .rotateLeft64:
                r.set(i.a, r[i.b].rotated(left: r[i.c]))
            case .rotateRight32:
                r.set(i.a, r.u32(i.b).rotated(left: 0 &- r.u32(i.c)))
            case .rotateRight64:
                r.set(i.a, r[i.b].rotated(left: 0 &- r[i.c]))
            case .extend8S32:
                r.set(i.a, Int32(Int8(truncatingIfNeeded: r[i.b])))
            case .extend16S32:
                r.set(i.a, Int32(Int16(truncatingIfNeeded: r[i.b])))
            case .extend8S64:
                r.set(i.a, Int64(Int8(truncatingIfNeeded: r[i.b])))
            case .extend16S64:
                r.set(i.a, Int64(Int16(truncatingIfNeeded: r[i.b])))
            case .extend32S64:
                r.set(i.a, Int64(r.s32(i.b)))
            case .wrap:
                r.set(i.a, r.u32(i.b))
            case .add32Constant:
                r.set(i.a, r.u32(i.b) &+ i.lower)
            case .add64Constant:
                r.set(i.a, r[i.b] &+ i.immediate)
            case .multiply32Constant:
                r.set(i.a, r.u32(i.b) &* i.lower)
            case .multiply64Constant:
                r.set(i.a, r[i.b] &* i.immediate)
            case .andConstant:
                r.set(i.a, r[i.b] & i.immediate)
            case .orConstant:
                r.set(i.a, r[i.b] | i.immediate)
            case .xorConstant:
                r.set(i.a, r[i.b] ^ i.immediate)

            case .equalF32:
                r.set(i.a, r.f32(i.b) == r.f32(i.c))
            case .notEqualF32:
                r.set(i.a, r.f32(i.b) != r.f32(i.c))
            case .lessF32:
                r.set(i.a, r.f32(i.b) < r.f32(i.c))
            case .lessOrEqualF32:
                r.set(i.a, r.f32(i.b) <= r.f32(i.c))
            case .absF32:
                r[i.a] = r[i.b] & 0x7fff_ffff
            case .negateF32:
                r[i.a] = r[i.b] ^ 0x8000_0000
            case .ceilF32:
                r.set(i.a, r.f32(i.b).rounded(.up))
            case .floorF32:
                r.set(i.a, r.f32(i.b).rounded(.down))
            case .truncateF32:
                r.set(i.a, r.f32(i.b).rounded(.towardZero))
            case .nearestF32:
                r.set(i.a, r.f32(i.b).rounded(.toNearestOrEven))
            case .squareRootF32:
                r.set(i.a, r.f32(i.b).squareRoot())
            case .addF32:
                r.set(i.a, r.f32(i.b) + r.f32(i.c))
            case .subtractF32:
                r.set(i.a, r.f32(i.b) - r.f32(i.c))
            case .multiplyF32:
                r.set(i.a, r.f32(i.b) * r.f32(i.c))
            case .divideF32:
                r.set(i.a, r.f32(i.b) / r.f32(i.c))
            case .minF32:
                r.set(i.a, r.f32(i.b).wasmMinimum(r.f32(i.c)))
            case .maxF32:
                r.set(i.a, r.f32(i.b).wasmMaximum(r.f32(i.c)))
            case .copySignF32:
                r[i.a] = r[i.b] & 0x7fff_ffff | r[i.c] & 0x8000_0000
            case .equalF64:
                r.set(i.a, r.f64(i.b) == r.f64(i.c))
            case .notEqualF64:
                r.set(i.a, r.f64(i.b) != r.f64(i.c))
            case .lessF64:
                r.set(i.a, r.f64(i.b) < r.f64(i.c))
            case .lessOrEqualF64:
                r.set(i.a, r.f64(i.b) <= r.f64(i.c))
            case .absF64:
                r[i.a] = r[i.b] & 0x7fff_ffff_ffff_ffff
            case .negateF64:
                r[i.a] = r[i.b] ^ 0x8000_0000_0000_0000
            case .ceilF64:
                r.set(i.a, r.f64(i.b).rounded(.up))
            case .floorF64:
                r.set(i.a, r.f64(i.b).rounded(.down))
            case .truncateF64:
                r.set(i.a, r.f64(i.b).rounded(.towardZero))
            case .nearestF64:
                r.set(i.a, r.f64(i.b).rounded(.toNearestOrEven))
            case .squareRootF64:
                r.set(i.a, r.f64(i.b).squareRoot())
            case .addF64:
                r.set(i.a, r.f64(i.b) + r.f64(i.c))
            case .subtractF64:
                r.set(i.a, r.f64(i.b) - r.f64(i.c))
            case .multiplyF64:
                r.set(i.a, r.f64(i.b) * r.f64(i.c))
            case .divideF64:
                r.set(i.a, r.f64(i.b) / r.f64(i.c))
            case .minF64:
                r.set(i.a, r.f64(i.b).wasmMinimum(r.f64(i.c)))
            case .maxF64:
                r.set(i.a, r.f64(i.b).wasmMaximum(r.f64(i.c)))
            case .copySignF64:
                r[i.a] = r[i.b] & 0x7fff_ffff_ffff_ffff | r[i.c] & 0x8000_0000_0000_0000

            case .i32FromF32S:
                switch Int32.truncating(r.f32(i.b)) {
                case .value(let value): r.set(i.a, value)
                case .failed(let reason):
                    outcome = reason
                    break loop
                }
            case .i32FromF32U:
                switch UInt32.truncating(r.f32(i.b)) {
                case .value(let value): r.set(i.a, value)
                case .failed(let reason):
                    outcome = reason
                    break loop
                }
            case .i32FromF64S:
                switch Int32.truncating(r.f64(i.b)) {
                case .value(let value): r.set(i.a, value)
                case .failed(let reason):
                    outcome = reason
                    break loop
                }
            case .i32FromF64U:
                switch UInt32.truncating(r.f64(i.b)) {
                case .value(let value): r.set(i.a, value)
                case .failed(let reason):
                    outcome = reason
                    break loop
                }
            case .i64FromF32S:
                switch Int64.truncating(r.f32(i.b)) {
                case .value(let value): r.set(i.a, value)
                case .failed(let reason):
                    outcome = reason
                    break loop
                }
            case .i64FromF32U:
                switch UInt64.truncating(r.f32(i.b)) {
                case .value(let value): r.set(i.a, value)
                case .failed(let reason):
                    outcome = reason
                    break loop
                }
            case .i64FromF64S:
                switch Int64.truncating(r.f64(i.b)) {
                case .value(let value): r.set(i.a, value)
                case .failed(let reason):
                    outcome = reason
                    break loop
                }
            case .i64FromF64U:
                switch UInt64.truncating(r.f64(i.b)) {
                case .value(let value): r.set(i.a, value)
                case .failed(let reason):
                    outcome = reason
                    break loop
                }
            case .i32SaturatingF32S:
                r.set(i.a, Int32.saturating(r.f32(i.b)))
            case .i32SaturatingF32U:
                r.set(i.a, UInt32.saturating(r.f32(i.b)))
            case .i32SaturatingF64S:
                r.set(i.a, Int32.saturating(r.f64(i.b)))
            case .i32SaturatingF64U:
                r.set(i.a, UInt32.saturating(r.f64(i.b)))
            case .i64SaturatingF32S:
                r.set(i.a, Int64.saturating(r.f32(i.b)))
            case .i64SaturatingF32U:
                r.set(i.a, UInt64.saturating(r.f32(i.b)))
            case .i64SaturatingF64S:
                r.set(i.a, Int64.saturating(r.f64(i.b)))
            case .i64SaturatingF64U:
                r.set(i.a, UInt64.saturating(r.f64(i.b)))
            case .f32FromI32S:
                r.set(i.a, Float(r.s32(i.b)))
            case .f32FromI32U:
                r.set(i.a, Float(r.u32(i.b)))
            case .f32FromI64S:
                r.set(i.a, Float(r.s64(i.b)))
            case .f32FromI64U:
                r.set(i.a, Float(r[i.b]))
            case .f64FromI32S:
                r.set(i.a, Double(r.s32(i.b)))
            case .f64FromI32U:
                r.set(i.a, Double(r.u32(i.b)))
            case .f64FromI64S:
                r.set(i.a, Double(r.s64(i.b)))
            case .f64FromI64U:
                r.set(i.a, Double(r[i.b]))
            case .demote:
                r.set(i.a, Float(r.f64(i.b)))
            case .promote:
                r.set(i.a, Double(r.f32(i.b)))
            }
        }
        gasLeft = gas
        return outcome
    }
}
