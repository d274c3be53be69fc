// # CEd25519
//
// The curve arithmetic behind Ed25519 checks: edwards25519 (RFC 7748, RFC 8032) in variable time, for PUBLIC inputs only.
// Nothing here may ever see a secret: signing stays with swift-crypto.
//
// The module promises
// - ZIP 215's reading of encodings: the y coordinate is taken modulo p whether or not it is below p, and x = 0 with a
//   set sign bit is taken; a string is refused only if no point has that y;
// - the group operation is complete (a = -1 is a square, d is not), so no input needs a case of its own;
// - no allocation: callers bring the scratch space; no input makes it read or write outside what it was given.
//
// Keys, points and numbers are 32 bytes each, little-endian, where nothing else is said.
#ifndef CED25519_H
#define CED25519_H

#include <stdint.h>
#include <stddef.h>

// An element of GF(2^255 - 19): sum of limb[i] * 2^(51 i), limbs below 2^52 at rest.
typedef struct { uint64_t limb[5]; } ced_element;

// A point in extended coordinates (Hisil, Wong, Carter, Dawson 2008): x = X/Z, y = Y/Z, T = XY/Z.
typedef struct { ced_element x, y, z, t; } ced_point;

// A point prepared for being added: Y + X, Y - X, 2Z, 2dT.
typedef struct { ced_element sum, difference, z2, t2d; } ced_addend;

// 1 and the point, or 0 where the 32 bytes encode none.
int ced_decode(ced_point *point, const uint8_t *bytes);

// Many strings, one after the other in `bytes`, eight or four at a time where the processor can. valid[i] tells whether
// string i encodes a point; where it does not, points[i] is the neutral element.
void ced_decode_many(ced_point *points, uint8_t *valid, const uint8_t *bytes, size_t count);

// Whether eight times the point is the neutral element: anybody can sign for such a key.
int ced_is_small_order(const ced_point *point);

// Whether the 32 little-endian bytes are below the group order L.
int ced_scalar_is_canonical(const uint8_t *scalar);
// A number of 64 bytes modulo L.
void ced_scalar_reduce(uint8_t *result, const uint8_t *wide);
// result = a * b + c modulo L. a and b are at most 2^256 - 1, c likewise. The result may be any of the inputs.
void ced_scalar_multiply_add(uint8_t *result, const uint8_t *a, const uint8_t *b, const uint8_t *c);
// result = -a modulo L, for a below L.
void ced_scalar_negate(uint8_t *result, const uint8_t *a);

// Whether [8]([s]B - [k]A - R) is neutral: the cofactored equation of one signature. s and k are below L.
int ced_equation_holds(const ced_point *key, const ced_point *r, const uint8_t *s, const uint8_t *k);

// A point prepared for being added, with Z = 1: y + x, y - x, 2dxy, each below p.
typedef struct { ced_element sum, difference, t2d; uint64_t unused; } ced_affine;

// A key for many checks: the tables of combs (comb.h). Making it costs a check and a quarter without it; each check with it
// a third, and in eight lanes a seventh alone and a fifteenth in company.
enum { CED_KEY_COMBS = 4, CED_KEY_ENTRIES = 16 };
typedef struct { ced_affine entries[CED_KEY_COMBS * CED_KEY_ENTRIES]; } ced_key;
void ced_prepare_key(ced_key *prepared, const ced_point *key);

// Of each of `count` signatures (R, s) whether it holds for its key: s is below L, R encodes a point, and the cofactored
// equation holds. k are the challenges, below L. The strings stand one after the other.
void ced_signatures_hold(
    uint8_t *holds, const ced_key *const *keys, const uint8_t *r, const uint8_t *s, const uint8_t *k, size_t count);

// Bytes of scratch space that `ced_sum_is_small` needs for so many terms.
size_t ced_sum_scratch(size_t count);

// Whether [8](scalars[0] points[0] + ... + scalars[count-1] points[count-1] + [base]B) is neutral. Scalars are below 2^253.
// The scratch space is aligned to 64 bytes.
int ced_sum_is_small(
    const uint8_t *scalars, const ced_point *points, size_t count, const uint8_t *base, void *scratch);

// How `ced_decode_many`, `ced_sum_is_small` and `ced_signatures_hold` compute: the widest that the processor has, unless a test chooses.
typedef enum { ced_path_scalar, ced_path_avx2, ced_path_avx512ifma } ced_path;
ced_path ced_widest_path(void);
// The same by a given path, which the processor must have.
void ced_decode_many_by(ced_path path, ced_point *points, uint8_t *valid, const uint8_t *bytes, size_t count);
// Sums and checks have no AVX2: that path computes as the scalar one.
int ced_sum_is_small_by(
    ced_path path, const uint8_t *scalars, const ced_point *points, size_t count, const uint8_t *base, void *scratch);
void ced_signatures_hold_by(ced_path path, uint8_t *holds, const ced_key *const *keys, const uint8_t *r, const uint8_t *s,
    const uint8_t *k, size_t count);

// SHA-512(R || key || message) modulo L of each signature, a message in each of eight lanes. The processor must have the
// widest path. The messages stand one after the other, each up to its end in `ends`.
void ced_challenges_in_eights(uint8_t *challenges, const uint8_t *r, const uint8_t *keys, const uint8_t *messages,
    const size_t *ends, size_t count);

#endif
