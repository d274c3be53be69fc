// The inner loop of the WebAssembly interpreter. What it promises, and what it relies on, is said in core.c.
#ifndef EDGEPROOF_CWASMCORE_H
#define EDGEPROOF_CWASMCORE_H

#include <stdint.h>

/// One instruction: the Swift type Instruction, bit for bit. `code` is the operation in its low byte and the variant
/// in its high one.
typedef struct {
    uint16_t code;
    uint16_t a, b, c;
    uint64_t immediate;
} wasm_instruction;

/// The Swift type CompiledFunction, bit for bit.
typedef struct {
    int64_t entry, parameters, zeroed_locals, frame_slots;
} wasm_function;

/// Where a call returns to.
typedef struct {
    const wasm_instruction *next;
    uint64_t *frame;
} wasm_frame;

/// All that a run works on. Whoever runs it keeps every pointer valid and every count true.
typedef struct {
    /// Where to go on; brought up to date whenever the loop is left.
    const wasm_instruction *next;
    uint64_t *frame;
    uint64_t gas;
    /// Active calls: from `bottom` up to `top`, at most up to `last`.
    wasm_frame *bottom, *top, *last;
    const uint64_t *stack_end;
    uint8_t *memory;
    uint64_t memory_bytes;
    const wasm_instruction *code;
    const wasm_function *functions;
    const uint32_t *jump_targets;
    /// For each function the canonical index of its type.
    const uint32_t *signatures;
    const uint32_t *table;
    uint64_t *globals;
    uint32_t table_count;
    uint32_t import_count;
    /// With WASM_HOST_CALL: the import, and the slots with its arguments.
    uint32_t requested_import;
    uint64_t *requested_slots;
} wasm_state;

/// The Swift type Outcome, value for value.
enum {
    WASM_FINISHED,
    WASM_UNREACHABLE, WASM_OUT_OF_GAS, WASM_MEMORY_BOUNDS, WASM_TABLE_BOUNDS, WASM_DIVIDE_BY_ZERO,
    WASM_INTEGER_OVERFLOW, WASM_INVALID_CONVERSION, WASM_UNDEFINED_ELEMENT, WASM_UNINITIALIZED_ELEMENT,
    WASM_TYPE_MISMATCH, WASM_CALL_STACK,
    WASM_HOST_TRAPPED,
    /// The host is called; then the run goes on.
    WASM_HOST_CALL,
    /// The instruction before `next` is carried out outside; then the run goes on.
    WASM_OUTSIDE,
};

/// Begins a call of a function whose arguments are at `stack`: its outermost frame returns to the end of the run.
/// Returns 0 if the frame does not fit.
int wasm_begin(wasm_state *state, uint32_t function, uint64_t *stack);

/// Runs until the function returns, traps, or something outside is needed. Returns one of the values above.
uint32_t wasm_run(wasm_state *state);

/// The name of an operation in this file, for a test that holds both enumerations together; null if there is none.
const char *wasm_operation_name(uint8_t operation);

/// Whether there is an operation of this code, the variant included.
int wasm_has_variant(uint16_t code);

#endif
