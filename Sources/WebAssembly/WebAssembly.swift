/// # WebAssembly
///
/// Decoder, validator and gas-metered interpreter for WebAssembly modules that come from strangers.
/// It knows nothing of chains: what a module may do beyond computing is what its host functions offer.
///
/// What the module promises:
///
/// - **Conformance.** The core specification 1.0 plus sign extension, saturating conversions, multi-value,
///   bulk memory and mutable globals. Reference types beyond the single `funcref` table, SIMD, threads,
///   64-bit memories, tail calls and exceptions are refused when the module is parsed. So are imports other
///   than functions, and a start function: a host calls explicit entry points.
/// - **Determinism.** The same module, host answers and gas limit give the same results, the same trap and
///   the same gas on every machine. Every arithmetic floating-point result that is a NaN is the canonical one.
/// - **Metering.** Gas is charged for each basic block on entry (``Gas``), so execution always ends.
/// - **Containment.** No input bytes and no execution can crash or exhaust the process: all sizes are bounded
///   by ``Limits``, all failures are a ``ModuleError``, an ``InstantiationError`` or a ``Trap``, and calls
///   within WebAssembly don't recurse on the native stack.
///
/// A module passes through these stages, each with a type of its own: bytes -> ``Module`` (decoded, validated
/// and compiled to a flat code of fixed-size instructions) -> ``Instance`` (memory, table, globals and gas)
/// -> ``Value``s or a ``Trap``.
