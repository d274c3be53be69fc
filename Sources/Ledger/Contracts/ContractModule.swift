import WebAssembly

/// The functions that the chain calls in a contract. A missing one is no failure where the contract needs none.
enum ContractEntry: String, CaseIterable {
    case initialise = "init"
    case action
    case scheduled
    case query
    case upgrade
    case retire

    /// Whether a contract without it simply does nothing.
    var isOptional: Bool { self != .action && self != .query }
}

/// A module that keeps the rules of contracts.
struct ContractModule: Sendable {
    let module: Module

    enum Problem: Error, Equatable, CustomStringConvertible {
        case module(ModuleError)
        case noMemory
        case unknownImport(String)
        case entryType(String)

        var description: String {
            switch self {
            case .module(let error): error.description
            case .noMemory: "it does not export its memory as \"memory\""
            case .unknownImport(let detail): "the chain offers no \(detail)"
            case .entryType(let name): "its export \"\(name)\" is not a function without parameters and results"
            }
        }
    }

    /// Parses and validates the code under the contract limits, and checks imports and exports.
    init(checking code: [UInt8]) throws(Problem) {
        do { module = try Module(parsing: code, limits: .contract) } catch { throw .module(error) }
        guard module.hasMemoryExport("memory") else { throw .noMemory }
        for wanted in module.imports {
            let offered = HostFunction.imports.contains {
                $0.module.utf8.elementsEqual(wanted.module.utf8) && $0.name.utf8.elementsEqual(wanted.name.utf8)
                    && $0.type == wanted.type
            }
            guard offered else {
                throw .unknownImport("\"\(wanted.module)\" \"\(wanted.name)\" \(wanted.type)")
            }
        }
        for entry in ContractEntry.allCases {
            let isThere = module.exports.contains { $0.name.utf8.elementsEqual(entry.rawValue.utf8) }
            guard !isThere || module.hasFunctionExport(entry.rawValue, FunctionType()) else {
                throw .entryType(entry.rawValue)
            }
        }
    }

    func has(_ entry: ContractEntry) -> Bool { module.hasFunctionExport(entry.rawValue, FunctionType()) }
}
