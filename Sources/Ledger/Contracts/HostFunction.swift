import WebAssembly

/// What contracts can import from module `"edgeproof"` (`Docs/protocol.md`, contract host interface). The raw value is
/// the place in ``imports``.
package enum HostFunction: Int, CaseIterable {
    case context, input, storageGet, storageSet, storageRemove, transfer, emit, verdict, sha256, ed25519Verify
    case randomness, schedule, call, returnData, fail, log
    case validator, drawCommittee, reputation
    case signer, service, keyInsert, keyRemove, keyNext

    static let module = "edgeproof"

    static let imports: [HostImport] = allCases.map {
        HostImport(module: module, name: $0.name, type: $0.type)
    }

    package var name: String {
        switch self {
        case .context: "context"
        case .input: "input"
        case .storageGet: "storage_get"
        case .storageSet: "storage_set"
        case .storageRemove: "storage_remove"
        case .transfer: "transfer"
        case .emit: "emit"
        case .verdict: "verdict"
        case .sha256: "sha256"
        case .ed25519Verify: "ed25519_verify"
        case .randomness: "randomness"
        case .schedule: "schedule"
        case .call: "call"
        case .returnData: "return_data"
        case .fail: "fail"
        case .log: "log"
        case .validator: "validator"
        case .drawCommittee: "draw_committee"
        case .reputation: "reputation"
        case .signer: "signer"
        case .service: "service"
        case .keyInsert: "key_insert"
        case .keyRemove: "key_remove"
        case .keyNext: "key_next"
        }
    }

    var type: FunctionType {
        switch self {
        case .context, .randomness: Self.pointers(1)
        case .storageRemove, .returnData, .fail, .log: Self.pointers(2)
        case .input, .sha256: Self.pointers(3)
        case .storageSet, .emit: Self.pointers(4)
        case .validator, .signer: Self.pointers(1, result: .i32)
        case .drawCommittee: Self.pointers(3, result: .i32)
        case .reputation: Self.pointers(2, result: .i64)
        case .transfer, .keyInsert, .keyRemove: Self.pointers(2, result: .i32)
        case .storageGet, .ed25519Verify, .service: Self.pointers(4, result: .i32)
        case .keyNext: Self.pointers(6, result: .i32)
        case .call: Self.pointers(8, result: .i32)
        case .verdict: FunctionType([.i32, .i32, .i32, .i64, .i32, .i32], [.i32])
        case .schedule: FunctionType([.i64, .i32, .i32, .i32], [.i64])
        }
    }

    /// Whether it changes state, which a query must not.
    var changesState: Bool {
        switch self {
        case .storageSet, .storageRemove, .transfer, .emit, .verdict, .schedule, .drawCommittee, .keyInsert, .keyRemove: true
        default: false
        }
    }

    private static func pointers(_ count: Int, result: ValueType? = nil) -> FunctionType {
        FunctionType(Array(repeating: .i32, count: count), result.map { [$0] } ?? [])
    }
}
