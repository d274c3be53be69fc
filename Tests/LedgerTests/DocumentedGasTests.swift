import Foundation
import Ledger
import Primitives
import Testing
import WebAssembly

/// `Docs/contracts.md` and `Docs/gas.md` say what the ledger charges: the pages' tables are made from its own numbers here.
@Suite(.timeLimit(.minutes(20))) struct DocumentedGasTests {
    private let parameters = Parameters()

    private static func page(_ name: String) throws -> String {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        return try String(contentsOf: root.appending(path: "Docs/\(name)"), encoding: .utf8)
    }

    private func number(_ value: UInt64) -> String {
        var text = ""
        for (place, digit) in String(value).reversed().enumerated() {
            if place > 0, place % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return String(text.reversed())
    }

    /// What each import takes beside the instruction, as `Docs/contracts.md` has it.
    private var imports: [(names: String, gas: String)] {
        let copying = number(HostGas.copy(0))
        let each = "1 for each \(HostGas.copiedBytesPerUnit) bytes"
        let hashing = HostGas.perHashedByte
        let stored = parameters.gasPerStorageByte
        let scheduling = parameters.gas(of: .schedule)
        let loading = HostGas.loading(codeBytes: 0) + parameters.storageGas(reads: 3)
        let perCodeByte = HostGas.loading(codeBytes: 1) - HostGas.loading(codeBytes: 0)
        return [
            ("`context`", "a read, and \(number(HostGas.copy(216)))"),
            ("`input`, `return_data`", "\(copying), and \(each)"),
            ("`storage_get`", "a read; \(copying) and \(each) of the value, where there is one"),
            ("`storage_set`", "a write, and \(stored) for each byte of the value and of its key in the state, which has 33 more than the contract's"),
            ("`storage_remove`", "a write"),
            ("`transfer`", "two writes"),
            ("`emit`", "\(number(HostGas.event)), and \(parameters.gasPerDataByte) for each byte"),
            ("`sha256`", "\(number(HostGas.hash)), and \(hashing) for each byte"),
            ("`ed25519_verify`", "\(number(parameters.gasPerSignatureCheck + HostGas.hash)), and \(hashing) for each byte"),
            ("`randomness`", number(HostGas.knownAccess)),
            ("`schedule`", "\(number(scheduling)), and \(stored) for each byte; and \(number(parameters.scheduledGasPerCall)) credits, of which what the call does not use comes back"),
            (
                "`call`",
                "a read, and \(copying) and \(each) of the data; with money two writes; then \(number(loading)) and \(perCodeByte) for each byte of the other contract's code, what running it takes, and \(copying) and \(each) of the reply"
            ),
            ("`fail`", "0"),
            ("`log`", "1 for each byte"),
            ("`validator`", number(HostGas.copy(32))),
            (
                "`draw_committee`",
                "\(number(parameters.storageGas(writes: 2))), \(number(parameters.storageGas(bytes: 32))) for each member, a read and \(number(HostGas.hash)) for each masternode of the epoch"
            ),
            ("`reputation`", number(parameters.storageGas(writes: 2))),
            ("`verdict`", "five writes, two reads, and \(number(parameters.storageGas(bytes: HostGas.verdictBytes)))"),
            ("`signer`", number(HostGas.copy(32))),
            ("`service`", "a read, and \(number(HostGas.copy(232)))"),
            (
                "`key_insert`, `key_remove`",
                "for each page on the way a read and \(number(HostGas.keyPage)) (one page for up to 32 keys, two for up to some 500); for each page that changes, mostly one, a write, \(number(HostGas.keyPage)) and \(stored) for each byte"
            ),
            ("`key_next`", "for each page on the way a read and \(number(HostGas.keyPage)); \(copying) and \(each) of the key"),
        ]
    }

    /// What instructions take, as `Docs/contracts.md` has it. Which one belongs where, the VM's own tests say.
    private var instructions: [(names: String, gas: String)] {
        let each = "\(Gas.callValue) for each parameter and result"
        let carried = "\(Gas.branchValue) for each value that is carried"
        return [
            ("loads and stores", "\(Gas.memoryAccess)"),
            ("float addition, subtraction, multiplication, minimum, maximum, comparison, sign", "\(Gas.float)"),
            ("conversions from, to and between floats", "\(Gas.conversion)"),
            ("integer division and remainder", "\(Gas.division)"),
            ("float division, square root, rounding", "\(Gas.floatSlow)"),
            ("`br`, `br_if`, `return`", "\(Gas.branch), and \(carried)"),
            ("`br_table`", "\(Gas.branchTable), and \(carried)"),
            ("`call`", "\(Gas.call), and \(each)"),
            ("`call_indirect`", "\(Gas.callIndirect), and \(each)"),
            ("either, of an import", "\(Gas.hostCall) more, and what the import takes (below)"),
            ("the locals of a function, when it is entered", "1 for each \(Gas.localsPerUnit)"),
            (
                "`memory.fill`, `memory.copy`, `memory.init`, `data.drop`",
                "\(Gas.bulk), and 1 for each \(Gas.bulkBytesPerUnit) bytes that are moved"
            ),
            (
                "`table.copy`, `table.init`, `elem.drop`",
                "\(Gas.bulk), and \(Gas.tableElement) for each element that is moved"
            ),
            ("`memory.grow`", "\(Gas.memoryGrow), and \(number(Gas.page)) for each page that is added"),
        ]
    }

    @Test func thePageOfContractsHasTheLedgersPrices() throws {
        let page = try Self.page("contracts.md")
        for row in instructions + imports {
            let line = "| \(row.names) | \(row.gas) |"
            #expect(page.contains(line), "Docs/contracts.md lacks: \(line)")
        }
        let access =
            "A *read* takes \(number(parameters.gasPerStorageAccess)) and a *write* \(number(parameters.gasPerStorageWrite)) the first time that a transaction or scheduled call meets the value, either \(number(HostGas.knownAccess)) after that."
        #expect(page.contains(access), "Docs/contracts.md lacks: \(access)")
    }

    /// A new import needs its row, in a table with a gas column.
    @Test func noImportIsWithoutAPrice() throws {
        let page = try Self.page("contracts.md")
        let table = page.components(separatedBy: "| import | gas").dropFirst().joined()
        for function in HostFunction.allCases {
            #expect(table.contains("`\(function.name)`"), "Docs/contracts.md has no price of \(function.name)")
        }
    }

    @Test func thePageOfGasHasTheParameters() throws {
        let page = try Self.page("gas.md")
        for (name, value) in [
            ("gasPerTransaction", parameters.gasPerTransaction), ("gasPerSignatureCheck", parameters.gasPerSignatureCheck),
            ("gasPerDataByte", parameters.gasPerDataByte), ("gasPerStorageAccess", parameters.gasPerStorageAccess),
            ("gasPerStorageWrite", parameters.gasPerStorageWrite), ("gasPerStorageByte", parameters.gasPerStorageByte),
        ] {
            #expect(page.contains("| `\(name)` \(number(value)) |"), "Docs/gas.md has another \(name) than \(value)")
        }
    }
}
