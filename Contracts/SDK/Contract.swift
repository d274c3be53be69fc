/// # Edgeproof contract SDK
///
/// A contract is one Embedded Swift module, compiled together with the files of this folder to a
/// WebAssembly module. The chain makes a fresh instance for every call, so nothing in memory
/// survives one: what must last goes to ``Storage``.
///
/// A contract is a type that conforms to ``Contract``, named once:
///
/// ```swift
/// typealias Deployed = Greeter
///
/// enum Greeter: Contract {
///     static func action(_ context: Context) {
///         guard context.actionId == 256 else { Chain.fail("unknown action \(context.actionId)") }
///         Storage.set("last caller", context.caller)
///     }
///     static func query(_ context: Context) {
///         Chain.reply(Storage.get("last caller", as: Account.self) ?? .zero)
///     }
/// }
/// ```
///
/// Errors end the call: ``Chain/fail(_:)`` gives the reason to the sender, and the chain undoes
/// every effect of the call. So no function here throws.
///
/// The order of everything is fixed: there is no clock, no randomness but the chain's, and hashing
/// for `Dictionary` and `Set` is not seeded. Every node computes the same bits.
protocol Contract {
    /// Runs once, when the service is registered; the input is the registration's init data.
    static func initialize(_ context: Context)
    /// A signed transaction, or a call by another contract.
    static func action(_ context: Context)
    /// A call that this contract queued by ``Chain/schedule(at:entry:data:)``.
    static func scheduled(_ context: Context)
    /// A read-only question; storage, transfers and events are refused here.
    static func query(_ context: Context)
}

extension Contract {
    static func initialize(_ context: Context) {}
    static func action(_ context: Context) { Chain.fail("this contract has no actions") }
    static func scheduled(_ context: Context) {}
    static func query(_ context: Context) { Chain.fail("this contract answers no queries") }
}

// The four entry points by which the chain calls a contract. A contract that has something to do when its code has been
// exchanged, or something to say when its service ends, exports two more by itself:
//
//     @_expose(wasm, "upgrade") @_cdecl("edgeproof_upgrade")
//     func exportedUpgrade() { ... }    // the input is what the owner sent along
//
//     @_expose(wasm, "retire") @_cdecl("edgeproof_retire")
//     func exportedRetire() { ... }     // pays whom it owes, or fails while it owes

@_expose(wasm, "init") @_cdecl("edgeproof_init")
func exportedInit() { Deployed.initialize(.current()) }

@_expose(wasm, "action") @_cdecl("edgeproof_action")
func exportedAction() { Deployed.action(.current()) }

@_expose(wasm, "scheduled") @_cdecl("edgeproof_scheduled")
func exportedScheduled() { Deployed.scheduled(.current()) }

@_expose(wasm, "query") @_cdecl("edgeproof_query")
func exportedQuery() { Deployed.query(.current()) }
