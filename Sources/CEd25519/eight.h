// Eight elements of GF(2^255 - 19) at once by AVX-512 IFMA, one in each lane: five limbs of 51 bits, products of 52 bits by
// 52 in two halves. Every result has limbs below 2^51 + 2^15, and every factor needs limbs below 2^52, which is why sums and
// differences are settled here, unlike those of element.h.
#ifndef CED_EIGHT_H
#define CED_EIGHT_H

#include "element.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define IFMA __attribute__((target("avx512f,avx512ifma")))
typedef struct { __m512i limb[5]; } eight;

// Element i of row j for element j of row i.
IFMA static inline void eight_transpose(__m512i r[8]) {
    __m512i t[8];
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm512_unpacklo_epi64(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi64(r[i], r[i + 1]);
    }
    for (int i = 0; i < 2; i++) {
        const __m512i a = _mm512_shuffle_i64x2(t[i], t[i + 2], 0x44), b = _mm512_shuffle_i64x2(t[i], t[i + 2], 0xee);
        const __m512i c = _mm512_shuffle_i64x2(t[i + 4], t[i + 6], 0x44), d = _mm512_shuffle_i64x2(t[i + 4], t[i + 6], 0xee);
        r[i] = _mm512_shuffle_i64x2(a, c, 0x88);
        r[i + 2] = _mm512_shuffle_i64x2(a, c, 0xdd);
        r[i + 4] = _mm512_shuffle_i64x2(b, d, 0x88);
        r[i + 6] = _mm512_shuffle_i64x2(b, d, 0xdd);
    }
}

// 19 h in a shift and sums: what the compiler makes of it unhindered, a product of 64 bits, takes twice as long.
IFMA static inline __m512i eight_nineteen(__m512i h) {
    __m512i sixteen = _mm512_slli_epi64(h, 4);
    __asm__("" : "+v"(sixteen));
    return _mm512_add_epi64(sixteen, _mm512_add_epi64(_mm512_add_epi64(h, h), h));
}

// low[k] stands at 2^(51 k), high[k] at 2^(51 k + 52), that is, twice at place k + 1.
IFMA static inline void eight_carry(eight *r, const __m512i low[9], const __m512i high[9]) {
    const __m512i mask = _mm512_set1_epi64((long long)ced_mask51);
    __m512i z[10], h[5];
    z[0] = low[0];
    for (int k = 1; k < 9; k++) z[k] = _mm512_add_epi64(low[k], _mm512_slli_epi64(high[k - 1], 1));
    z[9] = _mm512_slli_epi64(high[8], 1);
    for (int k = 0; k < 5; k++) {
        // Below 2^61.
        h[k] = _mm512_add_epi64(z[k], eight_nineteen(z[k + 5]));
    }
    // One round for all limbs: what is carried is below 2^10, so limbs end below 2^51 + 2^15.
    const __m512i top = _mm512_srli_epi64(h[4], 51);
    const __m512i back = eight_nineteen(top);
    r->limb[0] = _mm512_add_epi64(_mm512_and_si512(h[0], mask), back);
    for (int k = 1; k < 5; k++)
        r->limb[k] = _mm512_add_epi64(_mm512_and_si512(h[k], mask), _mm512_srli_epi64(h[k - 1], 51));
}

IFMA static inline void eight_multiply(eight *r, const eight *f, const eight *g) {
    __m512i low[9], high[9];
    for (int k = 0; k < 9; k++) low[k] = high[k] = _mm512_setzero_si512();
#pragma clang loop unroll(full)
    for (int i = 0; i < 5; i++) {
#pragma clang loop unroll(full)
        for (int j = 0; j < 5; j++) {
            low[i + j] = _mm512_madd52lo_epu64(low[i + j], f->limb[i], g->limb[j]);
            high[i + j] = _mm512_madd52hi_epu64(high[i + j], f->limb[i], g->limb[j]);
        }
    }
    eight_carry(r, low, high);
}

IFMA static inline void eight_square(eight *r, const eight *f) {
    __m512i low[9], high[9];
    for (int k = 0; k < 9; k++) low[k] = high[k] = _mm512_setzero_si512();
#pragma clang loop unroll(full)
    for (int i = 0; i < 5; i++) {
#pragma clang loop unroll(full)
        for (int j = i + 1; j < 5; j++) {
            low[i + j] = _mm512_madd52lo_epu64(low[i + j], f->limb[i], f->limb[j]);
            high[i + j] = _mm512_madd52hi_epu64(high[i + j], f->limb[i], f->limb[j]);
        }
    }
    // Doubled here and not before, where the limbs would exceed 52 bits.
    for (int k = 1; k < 8; k++) {
        low[k] = _mm512_slli_epi64(low[k], 1);
        high[k] = _mm512_slli_epi64(high[k], 1);
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < 5; i++) {
        low[2 * i] = _mm512_madd52lo_epu64(low[2 * i], f->limb[i], f->limb[i]);
        high[2 * i] = _mm512_madd52hi_epu64(high[2 * i], f->limb[i], f->limb[i]);
    }
    eight_carry(r, low, high);
}

// Carries once, all limbs at a time: for limbs below 2^60.
IFMA static inline void eight_settle(eight *r, const __m512i h[5]) {
    const __m512i mask = _mm512_set1_epi64((long long)ced_mask51);
    const __m512i top = _mm512_srli_epi64(h[4], 51);
    const __m512i back = eight_nineteen(top);
    __m512i limb[5];
    limb[0] = _mm512_add_epi64(_mm512_and_si512(h[0], mask), back);
    for (int k = 1; k < 5; k++)
        limb[k] = _mm512_add_epi64(_mm512_and_si512(h[k], mask), _mm512_srli_epi64(h[k - 1], 51));
    for (int k = 0; k < 5; k++) r->limb[k] = limb[k];
}

IFMA static inline void eight_add(eight *r, const eight *a, const eight *b) {
    __m512i h[5];
    for (int k = 0; k < 5; k++) h[k] = _mm512_add_epi64(a->limb[k], b->limb[k]);
    eight_settle(r, h);
}

// A limb of 4p, which is added before something is taken off, as in ced_subtract.
IFMA static inline __m512i eight_four_p(int k) { return _mm512_set1_epi64(k == 0 ? 0x1fffffffffffb4 : 0x1ffffffffffffc); }

IFMA static inline void eight_subtract(eight *r, const eight *a, const eight *b) {
    __m512i h[5];
    for (int k = 0; k < 5; k++)
        h[k] = _mm512_sub_epi64(_mm512_add_epi64(a->limb[k], eight_four_p(k)), b->limb[k]);
    eight_settle(r, h);
}

#endif
#endif
