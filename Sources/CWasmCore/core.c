// The inner loop of the interpreter, in C for one reason: each operation ends in a jump of its own to the next one
// (a tail call that keeps the state in machine registers), which Swift can't be told to do. A single switch costs a
// branch that the processor predicts badly, and its registers.
//
// It relies on validation, like the compiler of functions in Swift: every slot in the code lies within its function's
// frame, every target within the code, every index of a global, function or import within its list. What depends on
// values at run time is checked here: gas, memory and table bounds, the depth of calls and the room for frames,
// divisions and conversions. It calls nothing but itself, memcpy, memmove, memset and the rounding functions of libm.
//
// Variants. The compiler marks pairs of instructions that follow each other: the first one's code is then that of both
// together. The second stays as it is for whoever jumps to it.

#include "CWasmCore.h"

#include <math.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF

#if __has_attribute(preserve_none)
#define HANDLER static __attribute__((preserve_none)) uint32_t
#define HANDLER_TYPE __attribute__((preserve_none)) uint32_t
#else
#define HANDLER static uint32_t
#define HANDLER_TYPE uint32_t
#endif

#define STATE const wasm_instruction *ip, uint64_t *r, uint8_t *memory, uint64_t gas, uint64_t size, wasm_state *s
typedef HANDLER_TYPE (*handler)(STATE);
static const handler handlers[];

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

#define DISPATCH __attribute__((musttail)) return handlers[ip->code](ip, r, memory, gas, size, s)
#define LEAVE(outcome)                                                                                                 \
    do {                                                                                                               \
        s->next = ip;                                                                                                  \
        s->frame = r;                                                                                                  \
        s->gas = gas;                                                                                                  \
        return (outcome);                                                                                              \
    } while (0)

// How an operation sees its instruction `i`.
#define A r[i->a]
#define B r[i->b]
#define C r[i->c]
#define B32 ((uint32_t)r[i->b])
#define C32 ((uint32_t)r[i->c])
#define BS32 ((int32_t)r[i->b])
#define CS32 ((int32_t)r[i->c])
#define BS64 ((int64_t)r[i->b])
#define CS64 ((int64_t)r[i->c])
#define BF32 f32_of(r[i->b])
#define CF32 f32_of(r[i->c])
#define BF64 f64_of(r[i->b])
#define CF64 f64_of(r[i->c])
#define IMM i->immediate
#define LOW ((uint32_t)i->immediate)
#define HIGH ((uint32_t)(i->immediate >> 32))

static inline float f32_of(uint64_t bits) {
    uint32_t low = (uint32_t)bits;
    float value;
    memcpy(&value, &low, 4);
    return value;
}

static inline double f64_of(uint64_t bits) {
    double value;
    memcpy(&value, &bits, 8);
    return value;
}

// Results of float arithmetic: every NaN is the canonical one.
static inline uint64_t of_f32(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return value != value ? 0x7fc00000u : bits;
}

static inline uint64_t of_f64(double value) {
    uint64_t bits;
    memcpy(&bits, &value, 8);
    return value != value ? 0x7ff8000000000000u : bits;
}

// NaN if either is NaN, and -0 is less than +0.
#define MINMAX(type, name, less)                                                                                       \
    static inline type name(type x, type y) {                                                                          \
        if (x != x || y != y) return (type)NAN;                                                                        \
        if (x == y) return (signbit(x) != 0) == (less) ? x : y;                                                        \
        return (x < y) == (less) ? x : y;                                                                              \
    }
MINMAX(float, min_f32, 1)
MINMAX(float, max_f32, 0)
MINMAX(double, min_f64, 1)
MINMAX(double, max_f64, 0)

static inline uint32_t rotate32(uint32_t x, uint32_t n) { return x << (n & 31) | x >> (-n & 31); }
static inline uint64_t rotate64(uint64_t x, uint64_t n) { return x << (n & 63) | x >> (-n & 63); }

// The range in which a float's integral part fits: above `low` (or at it, where no float lies between), below `high`.
#define FITS_I32_F32(x) ((x) >= -2147483648.0f && (x) < 2147483648.0f)
#define FITS_I32_F64(x) ((x) > -2147483649.0 && (x) < 2147483648.0)
#define FITS_U32(x) ((x) > -1 && (x) < 4294967296.0)
#define FITS_I64(x) ((x) >= -9223372036854775808.0 && (x) < 9223372036854775808.0)
#define FITS_U64(x) ((x) > -1 && (x) < 18446744073709551616.0)
#define SATURATE(x, fits, type, low, high) (fits(x) ? (type)(x) : (x) != (x) ? 0 : (x) < 0 ? (low) : (high))

// Operations without control flow that can't fail: name and effect.
#define SIMPLE(X)                                                                                                      \
    X(copy, A = B)                                                                                                     \
    X(constant, A = IMM)                                                                                               \
    X(select, A = r[LOW] != 0 ? B : C)                                                                                 \
    X(globalGet, A = s->globals[LOW])                                                                                  \
    X(globalSet, s->globals[LOW] = B)                                                                                  \
    X(equal, A = B == C)                                                                                               \
    X(notEqual, A = B != C)                                                                                            \
    X(lessU, A = B < C)                                                                                                \
    X(greaterOrEqualU, A = B >= C)                                                                                     \
    X(less32S, A = BS32 < CS32)                                                                                        \
    X(greaterOrEqual32S, A = BS32 >= CS32)                                                                             \
    X(less64S, A = BS64 < CS64)                                                                                        \
    X(greaterOrEqual64S, A = BS64 >= CS64)                                                                             \
    X(equalZero, A = B == 0)                                                                                           \
    X(equalConstant, A = B == IMM)                                                                                     \
    X(notEqualConstant, A = B != IMM)                                                                                  \
    X(lessUConstant, A = B < IMM)                                                                                      \
    X(greaterOrEqualUConstant, A = B >= IMM)                                                                           \
    X(greaterUConstant, A = B > IMM)                                                                                   \
    X(lessOrEqualUConstant, A = B <= IMM)                                                                              \
    X(less32SConstant, A = BS32 < (int32_t)LOW)                                                                        \
    X(greaterOrEqual32SConstant, A = BS32 >= (int32_t)LOW)                                                             \
    X(greater32SConstant, A = BS32 > (int32_t)LOW)                                                                     \
    X(lessOrEqual32SConstant, A = BS32 <= (int32_t)LOW)                                                                \
    X(less64SConstant, A = BS64 < (int64_t)IMM)                                                                        \
    X(greaterOrEqual64SConstant, A = BS64 >= (int64_t)IMM)                                                             \
    X(greater64SConstant, A = BS64 > (int64_t)IMM)                                                                     \
    X(lessOrEqual64SConstant, A = BS64 <= (int64_t)IMM)                                                                \
    X(clz32, A = B32 ? (uint64_t)__builtin_clz(B32) : 32)                                                              \
    X(clz64, A = B ? (uint64_t)__builtin_clzll(B) : 64)                                                                \
    X(ctz32, A = B32 ? (uint64_t)__builtin_ctz(B32) : 32)                                                              \
    X(ctz64, A = B ? (uint64_t)__builtin_ctzll(B) : 64)                                                                \
    X(popcount, A = (uint64_t)__builtin_popcountll(B))                                                                 \
    X(add32, A = (uint32_t)(B32 + C32))                                                                                \
    X(add64, A = B + C)                                                                                                \
    X(subtract32, A = (uint32_t)(B32 - C32))                                                                           \
    X(subtract64, A = B - C)                                                                                           \
    X(multiply32, A = (uint32_t)(B32 * C32))                                                                           \
    X(multiply64, A = B * C)                                                                                           \
    X(and, A = B & C)                                                                                                  \
    X(or, A = B | C)                                                                                                   \
    X(xor, A = B ^ C)                                                                                                  \
    X(shiftLeft32, A = (uint32_t)(B32 << (C32 & 31)))                                                                  \
    X(shiftLeft64, A = B << (C & 63))                                                                                  \
    X(shiftRight32S, A = (uint32_t)(BS32 >> (C32 & 31)))                                                               \
    X(shiftRight32U, A = B32 >> (C32 & 31))                                                                            \
    X(shiftRight64S, A = (uint64_t)(BS64 >> (C & 63)))                                                                 \
    X(shiftRight64U, A = B >> (C & 63))                                                                                \
    X(rotateLeft32, A = rotate32(B32, C32))                                                                            \
    X(rotateLeft64, A = rotate64(B, C))                                                                                \
    X(rotateRight32, A = rotate32(B32, -C32))                                                                          \
    X(rotateRight64, A = rotate64(B, -C))                                                                              \
    X(extend8S32, A = (uint32_t)(int32_t)(int8_t)B)                                                                    \
    X(extend16S32, A = (uint32_t)(int32_t)(int16_t)B)                                                                  \
    X(extend8S64, A = (uint64_t)(int64_t)(int8_t)B)                                                                    \
    X(extend16S64, A = (uint64_t)(int64_t)(int16_t)B)                                                                  \
    X(extend32S64, A = (uint64_t)(int64_t)BS32)                                                                        \
    X(wrap, A = B32)                                                                                                   \
    X(add32Constant, A = (uint32_t)(B32 + LOW))                                                                        \
    X(add64Constant, A = B + IMM)                                                                                      \
    X(multiply32Constant, A = (uint32_t)(B32 * LOW))                                                                   \
    X(multiply64Constant, A = B * IMM)                                                                                 \
    X(andConstant, A = B & IMM)                                                                                        \
    X(orConstant, A = B | IMM)                                                                                         \
    X(xorConstant, A = B ^ IMM)                                                                                        \
    X(shiftLeft32Constant, A = (uint32_t)(B32 << (LOW & 31)))                                                          \
    X(shiftLeft64Constant, A = B << (IMM & 63))                                                                        \
    X(shiftRight32SConstant, A = (uint32_t)(BS32 >> (LOW & 31)))                                                       \
    X(shiftRight32UConstant, A = B32 >> (LOW & 31))                                                                    \
    X(shiftRight64SConstant, A = (uint64_t)(BS64 >> (IMM & 63)))                                                       \
    X(shiftRight64UConstant, A = B >> (IMM & 63))                                                                      \
    X(rotateLeft32Constant, A = rotate32(B32, LOW))                                                                    \
    X(rotateLeft64Constant, A = rotate64(B, IMM))                                                                      \
    X(equalF32, A = BF32 == CF32)                                                                                      \
    X(notEqualF32, A = BF32 != CF32)                                                                                   \
    X(lessF32, A = BF32 < CF32)                                                                                        \
    X(lessOrEqualF32, A = BF32 <= CF32)                                                                                \
    X(equalF64, A = BF64 == CF64)                                                                                      \
    X(notEqualF64, A = BF64 != CF64)                                                                                   \
    X(lessF64, A = BF64 < CF64)                                                                                        \
    X(lessOrEqualF64, A = BF64 <= CF64)                                                                                \
    X(absF32, A = B & 0x7fffffff)                                                                                      \
    X(negateF32, A = B ^ 0x80000000)                                                                                   \
    X(ceilF32, A = of_f32(ceilf(BF32)))                                                                                \
    X(floorF32, A = of_f32(floorf(BF32)))                                                                              \
    X(truncateF32, A = of_f32(truncf(BF32)))                                                                           \
    X(nearestF32, A = of_f32(rintf(BF32)))                                                                             \
    X(squareRootF32, A = of_f32(sqrtf(BF32)))                                                                          \
    X(addF32, A = of_f32(BF32 + CF32))                                                                                 \
    X(subtractF32, A = of_f32(BF32 - CF32))                                                                            \
    X(multiplyF32, A = of_f32(BF32 * CF32))                                                                            \
    X(divideF32, A = of_f32(BF32 / CF32))                                                                              \
    X(minF32, A = of_f32(min_f32(BF32, CF32)))                                                                         \
    X(maxF32, A = of_f32(max_f32(BF32, CF32)))                                                                         \
    X(copySignF32, A = (B & 0x7fffffff) | (C & 0x80000000))                                                            \
    X(absF64, A = B & 0x7fffffffffffffff)                                                                              \
    X(negateF64, A = B ^ 0x8000000000000000)                                                                           \
    X(ceilF64, A = of_f64(ceil(BF64)))                                                                                 \
    X(floorF64, A = of_f64(floor(BF64)))                                                                               \
    X(truncateF64, A = of_f64(trunc(BF64)))                                                                            \
    X(nearestF64, A = of_f64(rint(BF64)))                                                                              \
    X(squareRootF64, A = of_f64(sqrt(BF64)))                                                                           \
    X(addF64, A = of_f64(BF64 + CF64))                                                                                 \
    X(subtractF64, A = of_f64(BF64 - CF64))                                                                            \
    X(multiplyF64, A = of_f64(BF64 * CF64))                                                                            \
    X(divideF64, A = of_f64(BF64 / CF64))                                                                              \
    X(minF64, A = of_f64(min_f64(BF64, CF64)))                                                                         \
    X(maxF64, A = of_f64(max_f64(BF64, CF64)))                                                                         \
    X(copySignF64, A = (B & 0x7fffffffffffffff) | (C & 0x8000000000000000))                                            \
    X(i32SaturatingF32S, A = (uint32_t)SATURATE(BF32, FITS_I32_F32, int32_t, INT32_MIN, INT32_MAX))                    \
    X(i32SaturatingF32U, A = (uint32_t)SATURATE(BF32, FITS_U32, uint32_t, 0u, UINT32_MAX))                             \
    X(i32SaturatingF64S, A = (uint32_t)SATURATE(BF64, FITS_I32_F64, int32_t, INT32_MIN, INT32_MAX))                    \
    X(i32SaturatingF64U, A = (uint32_t)SATURATE(BF64, FITS_U32, uint32_t, 0u, UINT32_MAX))                             \
    X(i64SaturatingF32S, A = (uint64_t)SATURATE(BF32, FITS_I64, int64_t, INT64_MIN, INT64_MAX))                        \
    X(i64SaturatingF32U, A = (uint64_t)SATURATE(BF32, FITS_U64, uint64_t, 0u, UINT64_MAX))                             \
    X(i64SaturatingF64S, A = (uint64_t)SATURATE(BF64, FITS_I64, int64_t, INT64_MIN, INT64_MAX))                        \
    X(i64SaturatingF64U, A = (uint64_t)SATURATE(BF64, FITS_U64, uint64_t, 0u, UINT64_MAX))                             \
    X(f32FromI32S, A = of_f32((float)BS32))                                                                            \
    X(f32FromI32U, A = of_f32((float)B32))                                                                             \
    X(f32FromI64S, A = of_f32((float)BS64))                                                                            \
    X(f32FromI64U, A = of_f32((float)B))                                                                               \
    X(f64FromI32S, A = of_f64((double)BS32))                                                                           \
    X(f64FromI32U, A = of_f64((double)B32))                                                                            \
    X(f64FromI64S, A = of_f64((double)BS64))                                                                           \
    X(f64FromI64U, A = of_f64((double)B))                                                                              \
    X(demote, A = of_f32((float)BF64))                                                                                 \
    X(promote, A = of_f64((double)BF32))

// Memory accesses: name, type in memory, what becomes of it.
#define LOADS(X)                                                                                                       \
    X(load8U, uint8_t, value)                                                                                          \
    X(load16U, uint16_t, value)                                                                                        \
    X(load32, uint32_t, value)                                                                                         \
    X(load64, uint64_t, value)                                                                                         \
    X(load8S32, int8_t, (uint32_t)(int32_t)value)                                                                      \
    X(load16S32, int16_t, (uint32_t)(int32_t)value)                                                                    \
    X(load8S64, int8_t, (uint64_t)(int64_t)value)                                                                      \
    X(load16S64, int16_t, (uint64_t)(int64_t)value)                                                                    \
    X(load32S64, int32_t, (uint64_t)(int64_t)value)

#define STORES(X)                                                                                                      \
    X(store8, uint8_t)                                                                                                 \
    X(store16, uint16_t)                                                                                               \
    X(store32, uint32_t)                                                                                               \
    X(store64, uint64_t)

// Jumps: name and condition. The target is relative, in bytes.
#define JUMPS(X)                                                                                                       \
    X(jumpIfNonZero, B != 0)                                                                                           \
    X(jumpIfZero, B == 0)                                                                                              \
    X(jumpIfEqual, B == C)                                                                                             \
    X(jumpIfNotEqual, B != C)                                                                                          \
    X(jumpIfLessU, B < C)                                                                                              \
    X(jumpIfGreaterOrEqualU, B >= C)                                                                                   \
    X(jumpIfLess32S, BS32 < CS32)                                                                                      \
    X(jumpIfGreaterOrEqual32S, BS32 >= CS32)                                                                           \
    X(jumpIfEqualConstant, B == HIGH)                                                                                  \
    X(jumpIfNotEqualConstant, B != HIGH)                                                                               \
    X(jumpIfLessUConstant, B < HIGH)                                                                                   \
    X(jumpIfGreaterOrEqualUConstant, B >= HIGH)                                                                        \
    X(jumpIfGreaterUConstant, B > HIGH)                                                                                \
    X(jumpIfLessOrEqualUConstant, B <= HIGH)                                                                           \
    X(jumpIfLess32SConstant, BS32 < (int32_t)HIGH)                                                                     \
    X(jumpIfGreaterOrEqual32SConstant, BS32 >= (int32_t)HIGH)                                                          \
    X(jumpIfGreater32SConstant, BS32 > (int32_t)HIGH)                                                                  \
    X(jumpIfLessOrEqual32SConstant, BS32 <= (int32_t)HIGH)

// Operations that fail for some values: name, failures, effect.
#define PARTIAL(X)                                                                                                     \
    X(divide32S, if (CS32 == 0) LEAVE(WASM_DIVIDE_BY_ZERO);                                                            \
        if (BS32 == INT32_MIN && CS32 == -1) LEAVE(WASM_INTEGER_OVERFLOW), A = (uint32_t)(BS32 / CS32))                \
    X(divide32U, if (C32 == 0) LEAVE(WASM_DIVIDE_BY_ZERO), A = B32 / C32)                                              \
    X(divide64S, if (CS64 == 0) LEAVE(WASM_DIVIDE_BY_ZERO);                                                            \
        if (BS64 == INT64_MIN && CS64 == -1) LEAVE(WASM_INTEGER_OVERFLOW), A = (uint64_t)(BS64 / CS64))                \
    X(divide64U, if (C == 0) LEAVE(WASM_DIVIDE_BY_ZERO), A = B / C)                                                    \
    X(remainder32S, if (CS32 == 0) LEAVE(WASM_DIVIDE_BY_ZERO), A = CS32 == -1 ? 0 : (uint32_t)(BS32 % CS32))           \
    X(remainder32U, if (C32 == 0) LEAVE(WASM_DIVIDE_BY_ZERO), A = B32 % C32)                                           \
    X(remainder64S, if (CS64 == 0) LEAVE(WASM_DIVIDE_BY_ZERO), A = CS64 == -1 ? 0 : (uint64_t)(BS64 % CS64))           \
    X(remainder64U, if (C == 0) LEAVE(WASM_DIVIDE_BY_ZERO), A = B % C)                                                 \
    X(i32FromF32S, CONVERTIBLE(BF32, FITS_I32_F32), A = (uint32_t)(int32_t)BF32)                                       \
    X(i32FromF32U, CONVERTIBLE(BF32, FITS_U32), A = (uint32_t)BF32)                                                    \
    X(i32FromF64S, CONVERTIBLE(BF64, FITS_I32_F64), A = (uint32_t)(int32_t)BF64)                                       \
    X(i32FromF64U, CONVERTIBLE(BF64, FITS_U32), A = (uint32_t)BF64)                                                    \
    X(i64FromF32S, CONVERTIBLE(BF32, FITS_I64), A = (uint64_t)(int64_t)BF32)                                           \
    X(i64FromF32U, CONVERTIBLE(BF32, FITS_U64), A = (uint64_t)BF32)                                                    \
    X(i64FromF64S, CONVERTIBLE(BF64, FITS_I64), A = (uint64_t)(int64_t)BF64)                                           \
    X(i64FromF64U, CONVERTIBLE(BF64, FITS_U64), A = (uint64_t)BF64)

#define CONVERTIBLE(x, fits)                                                                                           \
    if (UNLIKELY(!fits(x))) LEAVE((x) != (x) ? WASM_INVALID_CONVERSION : WASM_INTEGER_OVERFLOW)

// The operations' numbers: the Swift type Operation, in its order. A test compares the names.
#define OPERATIONS(X)                                                                                                  \
    X(unreachable) X(gas) X(jump) X(jumpIfNonZero) X(jumpIfZero) X(jumpIfEqual) X(jumpIfNotEqual) X(jumpIfLessU)       \
    X(jumpIfGreaterOrEqualU) X(jumpIfLess32S) X(jumpIfGreaterOrEqual32S) X(jumpIfEqualConstant)                        \
    X(jumpIfNotEqualConstant) X(jumpIfLessUConstant) X(jumpIfGreaterOrEqualUConstant) X(jumpIfGreaterUConstant)        \
    X(jumpIfLessOrEqualUConstant) X(jumpIfLess32SConstant) X(jumpIfGreaterOrEqual32SConstant)                          \
    X(jumpIfGreater32SConstant) X(jumpIfLessOrEqual32SConstant) X(jumpTable) X(returnNone) X(returnOne) X(returnMany)  \
    X(call) X(callHost) X(callIndirect) X(copy) X(constant) X(copyMany) X(select) X(globalGet) X(globalSet) X(load8U)  \
    X(load16U) X(load32) X(load64) X(load8S32) X(load16S32) X(load8S64) X(load16S64) X(load32S64) X(store8)            \
    X(store16) X(store32) X(store64) X(memorySize) X(memoryGrow) X(memoryCopy) X(memoryFill) X(memoryInit)             \
    X(dataDrop) X(tableCopy) X(tableInit) X(elementDrop) X(equal) X(notEqual) X(lessU) X(greaterOrEqualU) X(less32S)   \
    X(greaterOrEqual32S) X(less64S) X(greaterOrEqual64S) X(equalZero) X(equalConstant) X(notEqualConstant)             \
    X(lessUConstant) X(greaterOrEqualUConstant) X(greaterUConstant) X(lessOrEqualUConstant) X(less32SConstant)         \
    X(greaterOrEqual32SConstant) X(greater32SConstant) X(lessOrEqual32SConstant) X(less64SConstant)                    \
    X(greaterOrEqual64SConstant) X(greater64SConstant) X(lessOrEqual64SConstant) X(clz32) X(clz64) X(ctz32) X(ctz64)   \
    X(popcount) X(add32) X(add64) X(subtract32) X(subtract64) X(multiply32) X(multiply64) X(divide32S) X(divide32U)    \
    X(divide64S) X(divide64U) X(remainder32S) X(remainder32U) X(remainder64S) X(remainder64U) X(and) X(or) X(xor)      \
    X(shiftLeft32) X(shiftLeft64) X(shiftRight32S) X(shiftRight32U) X(shiftRight64S) X(shiftRight64U)                  \
    X(rotateLeft32) X(rotateLeft64) X(rotateRight32) X(rotateRight64) X(extend8S32) X(extend16S32) X(extend8S64)       \
    X(extend16S64) X(extend32S64) X(wrap) X(add32Constant) X(add64Constant) X(multiply32Constant)                      \
    X(multiply64Constant) X(andConstant) X(orConstant) X(xorConstant) X(shiftLeft32Constant) X(shiftLeft64Constant)    \
    X(shiftRight32SConstant) X(shiftRight32UConstant) X(shiftRight64SConstant) X(shiftRight64UConstant)                \
    X(rotateLeft32Constant) X(rotateLeft64Constant) X(equalF32)                                                        \
    X(notEqualF32) X(lessF32) X(lessOrEqualF32) X(equalF64) X(notEqualF64) X(lessF64) X(lessOrEqualF64) X(absF32)      \
    X(negateF32) X(ceilF32) X(floorF32) X(truncateF32) X(nearestF32) X(squareRootF32) X(addF32) X(subtractF32)         \
    X(multiplyF32) X(divideF32) X(minF32) X(maxF32) X(copySignF32) X(absF64) X(negateF64) X(ceilF64) X(floorF64)       \
    X(truncateF64) X(nearestF64) X(squareRootF64) X(addF64) X(subtractF64) X(multiplyF64) X(divideF64) X(minF64)       \
    X(maxF64) X(copySignF64) X(i32FromF32S) X(i32FromF32U) X(i32FromF64S) X(i32FromF64U) X(i64FromF32S)                \
    X(i64FromF32U) X(i64FromF64S) X(i64FromF64U) X(i32SaturatingF32S) X(i32SaturatingF32U) X(i32SaturatingF64S)        \
    X(i32SaturatingF64U) X(i64SaturatingF32S) X(i64SaturatingF32U) X(i64SaturatingF64S) X(i64SaturatingF64U)           \
    X(f32FromI32S) X(f32FromI32U) X(f32FromI64S) X(f32FromI64U) X(f64FromI32S) X(f64FromI32U) X(f64FromI64S)           \
    X(f64FromI64U) X(demote) X(promote)

enum {
#define NUMBER(name) OP_##name,
    OPERATIONS(NUMBER)
#undef NUMBER
    OPERATION_COUNT,
    // Where the outermost frame returns to.
    OP_finish = 255,
    // With the `gas` instruction before.
    METERED = 1 << 8,
    // With the jump behind.
    LOOPING = 2 << 8,
};

#define PAY                                                                                                            \
    if (UNLIKELY(gas < ip->immediate)) {                                                                               \
        gas = 0;                                                                                                       \
        LEAVE(WASM_OUT_OF_GAS);                                                                                        \
    }                                                                                                                  \
    gas -= ip->immediate;

// Each operation has two handlers: its own, and the one that pays for its metered block first. The second is put in
// place of the `gas` instruction, and finds the operation's own instruction right behind that.
#define BOTH(name, ...)                                                                                                \
    HANDLER run_##name(STATE) {                                                                                        \
        const wasm_instruction *i = ip;                                                                                \
        __VA_ARGS__                                                                                                    \
    }                                                                                                                  \
    HANDLER metered_##name(STATE) {                                                                                    \
        PAY ip += 1;                                                                                                   \
        const wasm_instruction *i = ip;                                                                                \
        __VA_ARGS__                                                                                                    \
    }

#define DEFINE(name, effect) BOTH(name, effect; ip += 1; DISPATCH;)
SIMPLE(DEFINE)
#undef DEFINE

#define DEFINE(name, failures, effect) BOTH(name, failures; effect; ip += 1; DISPATCH;)
PARTIAL(DEFINE)
#undef DEFINE

// Both numbers are below 2^32: the sum can't wrap.
#define ADDRESS(type)                                                                                                  \
    uint64_t address = (uint64_t)B32 + LOW;                                                                            \
    if (UNLIKELY(address + sizeof(type) > size)) LEAVE(WASM_MEMORY_BOUNDS);
#define DEFINE(name, type, result)                                                                                     \
    BOTH(name, ADDRESS(type) type value; memcpy(&value, memory + address, sizeof(type)); A = result; ip += 1; DISPATCH;)
LOADS(DEFINE)
#undef DEFINE
#define DEFINE(name, type)                                                                                             \
    BOTH(name, ADDRESS(type) type value = (type)C; memcpy(memory + address, &value, sizeof(type)); ip += 1; DISPATCH;)
STORES(DEFINE)
#undef DEFINE

#define TARGET ((const wasm_instruction *)((const char *)i + (int32_t)LOW))
#define DEFINE(name, condition)                                                                                        \
    BOTH(name, if (condition) { ip = TARGET; DISPATCH; } ip += 1; DISPATCH;)
JUMPS(DEFINE)
#undef DEFINE
BOTH(jump, ip = TARGET; DISPATCH;)

// A loop's last two instructions: counting, and the jump back.
#define LOOP(name, effect, condition)                                                                                  \
    HANDLER looping_##name(STATE) {                                                                                    \
        {                                                                                                              \
            const wasm_instruction *i = ip;                                                                            \
            effect;                                                                                                    \
        }                                                                                                              \
        ip += 1;                                                                                                       \
        const wasm_instruction *i = ip;                                                                                \
        if (condition) {                                                                                               \
            ip = TARGET;                                                                                               \
            DISPATCH;                                                                                                  \
        }                                                                                                              \
        ip += 1;                                                                                                       \
        DISPATCH;                                                                                                      \
    }

BOTH(unreachable, (void)i; LEAVE(WASM_UNREACHABLE);)

HANDLER run_gas(STATE) {
    PAY ip += 1;
    DISPATCH;
}

BOTH(jumpTable, {
    uint32_t index = B32;
    if (index > HIGH) index = HIGH;
    ip = s->code + s->jump_targets[LOW + index];
    DISPATCH;
})

#define RETURN                                                                                                         \
    s->top -= 1;                                                                                                       \
    ip = s->top->next;                                                                                                 \
    r = s->top->frame;                                                                                                 \
    DISPATCH;
BOTH(returnNone, (void)i; RETURN)
BOTH(returnOne, r[0] = B; RETURN)
BOTH(returnMany, memmove(r, r + i->b, (size_t)LOW * 8); RETURN)

#define ENTER(number)                                                                                                  \
    const wasm_function *callee = &s->functions[number];                                                               \
    uint64_t *frame = r + i->a;                                                                                        \
    wasm_frame *top = s->top;                                                                                          \
    if (UNLIKELY(top >= s->last || callee->frame_slots > s->stack_end - frame)) LEAVE(WASM_CALL_STACK);                \
    top->next = ip + 1;                                                                                                \
    top->frame = r;                                                                                                    \
    s->top = top + 1;                                                                                                  \
    uint64_t *local = frame + callee->parameters;                                                                      \
    for (int64_t left = callee->zeroed_locals; left > 0; left--) {                                                     \
        *local++ = 0;                                                                                                  \
        /* Mostly they are a few: a call of memset would cost more. */                                                 \
        __asm__ volatile("" : "+r"(local));                                                                            \
    }                                                                                                                  \
    r = frame;                                                                                                         \
    ip = s->code + callee->entry;                                                                                      \
    DISPATCH;
BOTH(call, ENTER(LOW))

BOTH(callHost, {
    s->requested_import = LOW;
    s->requested_slots = r + i->a;
    ip += 1;
    LEAVE(WASM_HOST_CALL);
})

BOTH(callIndirect, {
    uint32_t index = B32;
    if (index >= s->table_count) LEAVE(WASM_UNDEFINED_ELEMENT);
    uint32_t function = s->table[index];
    if (function == UINT32_MAX) LEAVE(WASM_UNINITIALIZED_ELEMENT);
    if (s->signatures[function] != LOW) LEAVE(WASM_TYPE_MISMATCH);
    if (function < s->import_count) {
        // The Swift constant Gas.hostCall.
        if (gas < 40) LEAVE(WASM_OUT_OF_GAS);
        gas -= 40;
        s->requested_import = function;
        s->requested_slots = r + i->a;
        ip += 1;
        LEAVE(WASM_HOST_CALL);
    }
    ENTER(function - s->import_count)
})

BOTH(copyMany, memmove(r + i->a, r + i->b, (size_t)LOW * 8); ip += 1; DISPATCH;)
BOTH(memorySize, A = size / 65536; ip += 1; DISPATCH;)

// Bounds first, then gas, then the effect.
#define BULK(length)                                                                                                   \
    uint64_t cost = ((uint64_t)(length) + 3) / 4;                                                                      \
    if (gas < cost) LEAVE(WASM_OUT_OF_GAS);                                                                            \
    gas -= cost;
BOTH(memoryCopy, {
    uint64_t to = (uint32_t)A;
    uint64_t from = B32;
    uint64_t length = C32;
    if (to + length > size || from + length > size) LEAVE(WASM_MEMORY_BOUNDS);
    BULK(length)
    memmove(memory + to, memory + from, length);
    ip += 1;
    DISPATCH;
})
BOTH(memoryFill, {
    uint64_t to = (uint32_t)A;
    uint64_t length = C32;
    if (to + length > size) LEAVE(WASM_MEMORY_BOUNDS);
    BULK(length)
    memset(memory + to, (int)(uint8_t)B, length);
    ip += 1;
    DISPATCH;
})

#define OUTSIDE(name) BOTH(name, (void)i; ip += 1; LEAVE(WASM_OUTSIDE);)
OUTSIDE(memoryGrow)
OUTSIDE(memoryInit)
OUTSIDE(dataDrop)
OUTSIDE(tableCopy)
OUTSIDE(tableInit)
OUTSIDE(elementDrop)

HANDLER run_finish(STATE) {
    (void)memory;
    (void)size;
    LEAVE(WASM_FINISHED);
}

// A code that the compiler never makes.
HANDLER run_none(STATE) {
    (void)memory;
    (void)size;
    LEAVE(WASM_UNREACHABLE);
}

#define COUNTING(X)                                                                                                    \
    X(jumpIfNonZero, A = (uint32_t)(B32 + LOW), B != 0)                                                                \
    X(jumpIfEqual, A = (uint32_t)(B32 + LOW), B == C)                                                                  \
    X(jumpIfNotEqual, A = (uint32_t)(B32 + LOW), B != C)                                                               \
    X(jumpIfLessU, A = (uint32_t)(B32 + LOW), B < C)                                                                   \
    X(jumpIfLess32S, A = (uint32_t)(B32 + LOW), BS32 < CS32)                                                           \
    X(jumpIfEqualConstant, A = (uint32_t)(B32 + LOW), B == HIGH)                                                       \
    X(jumpIfNotEqualConstant, A = (uint32_t)(B32 + LOW), B != HIGH)
COUNTING(LOOP)

// Codes without a handler of their own get one first.
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Winitializer-overrides"
static const handler handlers[4 << 8] = {
    [0 ...(4 << 8) - 1] = run_none,
#define ENTRY(name) [OP_##name] = run_##name,
    OPERATIONS(ENTRY)
#undef ENTRY
#define ENTRY(name, ...) [METERED + OP_##name] = metered_##name,
    SIMPLE(ENTRY) PARTIAL(ENTRY) LOADS(ENTRY) STORES(ENTRY) JUMPS(ENTRY)
    ENTRY(jump) ENTRY(unreachable) ENTRY(jumpTable) ENTRY(returnNone) ENTRY(returnOne) ENTRY(returnMany) ENTRY(call)
    ENTRY(callHost) ENTRY(callIndirect) ENTRY(copyMany) ENTRY(memorySize) ENTRY(memoryCopy) ENTRY(memoryFill)
    ENTRY(memoryGrow) ENTRY(memoryInit) ENTRY(dataDrop) ENTRY(tableCopy) ENTRY(tableInit) ENTRY(elementDrop)
#undef ENTRY
#define ENTRY(name, ...) [LOOPING + OP_##name] = looping_##name,
    COUNTING(ENTRY)
#undef ENTRY
    [OP_finish] = run_finish,
};
#pragma clang diagnostic pop

static const wasm_instruction finish = {.code = OP_finish};

int wasm_begin(wasm_state *s, uint32_t function, uint64_t *stack) {
    const wasm_function *entered = &s->functions[function];
    if (entered->frame_slots > s->stack_end - stack || s->bottom >= s->last) return 0;
    s->top = s->bottom;
    s->top->next = &finish;
    s->top->frame = stack;
    s->top += 1;
    memset(stack + entered->parameters, 0, (size_t)entered->zeroed_locals * 8);
    s->frame = stack;
    s->next = s->code + entered->entry;
    return 1;
}

uint32_t wasm_run(wasm_state *s) { return handlers[s->next->code](s->next, s->frame, s->memory, s->gas, s->memory_bytes, s); }

const char *wasm_operation_name(uint8_t operation) {
    static const char *const names[] = {
#define NAME(name) #name,
        OPERATIONS(NAME)
#undef NAME
    };
    return operation < OPERATION_COUNT ? names[operation] : 0;
}

int wasm_has_variant(uint16_t code) { return code < sizeof handlers / sizeof *handlers && handlers[code] != run_none; }
