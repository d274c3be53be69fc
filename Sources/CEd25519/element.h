// GF(2^255 - 19) in five limbs of 51 bits. Sums and differences are left unreduced: a product takes limbs below 2^55 and
// gives limbs below 2^52.
#ifndef CED_ELEMENT_H
#define CED_ELEMENT_H

#include "CEd25519.h"
#include <string.h>

typedef unsigned __int128 ced_wide;
static const uint64_t ced_mask51 = ((uint64_t)1 << 51) - 1;

static inline ced_element ced_small(uint64_t value) { return (ced_element){{value, 0, 0, 0, 0}}; }

static inline ced_element ced_add(const ced_element *a, const ced_element *b) {
    ced_element r;
    for (int i = 0; i < 5; i++) r.limb[i] = a->limb[i] + b->limb[i];
    return r;
}

// a - b for limbs of b below 2^53 - 76: 4p is added first.
static inline ced_element ced_subtract(const ced_element *a, const ced_element *b) {
    ced_element r;
    r.limb[0] = a->limb[0] + 0x1fffffffffffb4 - b->limb[0];
    for (int i = 1; i < 5; i++) r.limb[i] = a->limb[i] + 0x1ffffffffffffc - b->limb[i];
    return r;
}

static inline ced_element ced_carry(ced_wide r0, ced_wide r1, ced_wide r2, ced_wide r3, ced_wide r4) {
    ced_element r;
    r1 += r0 >> 51;
    r2 += r1 >> 51;
    r3 += r2 >> 51;
    r4 += r3 >> 51;
    ced_wide low = (ced_wide)((uint64_t)r0 & ced_mask51) + (r4 >> 51) * 19;
    r.limb[0] = (uint64_t)low & ced_mask51;
    r.limb[1] = ((uint64_t)r1 & ced_mask51) + (uint64_t)(low >> 51);
    r.limb[2] = (uint64_t)r2 & ced_mask51;
    r.limb[3] = (uint64_t)r3 & ced_mask51;
    r.limb[4] = (uint64_t)r4 & ced_mask51;
    return r;
}

static inline ced_element ced_multiply(const ced_element *f, const ced_element *g) {
    const uint64_t f0 = f->limb[0], f1 = f->limb[1], f2 = f->limb[2], f3 = f->limb[3], f4 = f->limb[4];
    const uint64_t g0 = g->limb[0], g1 = g->limb[1], g2 = g->limb[2], g3 = g->limb[3], g4 = g->limb[4];
    const uint64_t h1 = 19 * g1, h2 = 19 * g2, h3 = 19 * g3, h4 = 19 * g4;
#define W(a, b) ((ced_wide)(a) * (b))
    return ced_carry(
        W(f0, g0) + W(f1, h4) + W(f2, h3) + W(f3, h2) + W(f4, h1),
        W(f0, g1) + W(f1, g0) + W(f2, h4) + W(f3, h3) + W(f4, h2),
        W(f0, g2) + W(f1, g1) + W(f2, g0) + W(f3, h4) + W(f4, h3),
        W(f0, g3) + W(f1, g2) + W(f2, g1) + W(f3, g0) + W(f4, h4),
        W(f0, g4) + W(f1, g3) + W(f2, g2) + W(f3, g1) + W(f4, g0));
}

static inline ced_element ced_square(const ced_element *f) {
    const uint64_t f0 = f->limb[0], f1 = f->limb[1], f2 = f->limb[2], f3 = f->limb[3], f4 = f->limb[4];
    const uint64_t d0 = 2 * f0, d1 = 2 * f1, d2 = 2 * f2;
    const uint64_t h3 = 19 * f3, h4 = 19 * f4;
    return ced_carry(
        W(f0, f0) + W(d1, h4) + W(d2, h3),
        W(d0, f1) + W(d2, h4) + W(f3, h3),
        W(d0, f2) + W(f1, f1) + W(2 * f3, h4),
        W(d0, f3) + W(d1, f2) + W(f4, h4),
        W(d0, f4) + W(d1, f3) + W(f2, f2));
#undef W
}

static inline ced_element ced_squares(const ced_element *f, int count) {
    ced_element r = ced_square(f);
    for (int i = 1; i < count; i++) r = ced_square(&r);
    return r;
}

// The least non-negative representative, below p.
static inline ced_element ced_canonical(const ced_element *f) {
    ced_element r = *f;
    // Twice: after the first pass limbs are below 2^51 but the lowest, after the second all are.
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < 4; i++) {
            r.limb[i + 1] += r.limb[i] >> 51;
            r.limb[i] &= ced_mask51;
        }
        r.limb[0] += 19 * (r.limb[4] >> 51);
        r.limb[4] &= ced_mask51;
    }
    // Now below 2^255 + small: subtract p once if that leaves no borrow.
    uint64_t q = (r.limb[0] + 19) >> 51;
    for (int i = 1; i < 5; i++) q = (r.limb[i] + q) >> 51;
    r.limb[0] += 19 * q;
    for (int i = 0; i < 4; i++) {
        r.limb[i + 1] += r.limb[i] >> 51;
        r.limb[i] &= ced_mask51;
    }
    r.limb[4] &= ced_mask51;
    return r;
}

static inline int ced_is_zero(const ced_element *f) {
    ced_element r = ced_canonical(f);
    return (r.limb[0] | r.limb[1] | r.limb[2] | r.limb[3] | r.limb[4]) == 0;
}

static inline int ced_is_equal(const ced_element *f, const ced_element *g) {
    ced_element r = ced_subtract(f, g);
    return ced_is_zero(&r);
}

// The low 255 bits of 32 little-endian bytes, whether or not they are below p.
static inline ced_element ced_from_bytes(const uint8_t bytes[32]) {
    uint64_t w[4];
    memcpy(w, bytes, 32);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    for (int i = 0; i < 4; i++) w[i] = __builtin_bswap64(w[i]);
#endif
    return (ced_element){{
        w[0] & ced_mask51,
        (w[0] >> 51 | w[1] << 13) & ced_mask51,
        (w[1] >> 38 | w[2] << 26) & ced_mask51,
        (w[2] >> 25 | w[3] << 39) & ced_mask51,
        (w[3] >> 12) & ced_mask51,
    }};
}

#endif
