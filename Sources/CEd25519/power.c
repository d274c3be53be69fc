// The power 2^252 - 3 of four elements by AVX2 and of eight by AVX-512 IFMA, one element in each lane.
#include "decode.h"

#if defined(__x86_64__)
#include <immintrin.h>

// The chain of squarings and multiplications for a type `element` with `square`, `multiply` and `squares`; the same as
// `power` in decode.c.
#define POWER_CHAIN(element, z, square, squares, multiply, result)       \
    do {                                                                 \
        element z2, z9, z11, a5, a10, a20, a40, a50, a100, a200, t;      \
        square(&z2, z);                                                  \
        squares(&t, &z2, 2);                                             \
        multiply(&z9, &t, z);                                            \
        multiply(&z11, &z9, &z2);                                        \
        square(&t, &z11);                                                \
        multiply(&a5, &t, &z9);                                          \
        squares(&t, &a5, 5);                                             \
        multiply(&a10, &t, &a5);                                         \
        squares(&t, &a10, 10);                                           \
        multiply(&a20, &t, &a10);                                        \
        squares(&t, &a20, 20);                                           \
        multiply(&a40, &t, &a20);                                        \
        squares(&t, &a40, 10);                                           \
        multiply(&a50, &t, &a10);                                        \
        squares(&t, &a50, 50);                                           \
        multiply(&a100, &t, &a50);                                       \
        squares(&t, &a100, 100);                                         \
        multiply(&a200, &t, &a100);                                      \
        squares(&t, &a200, 50);                                          \
        multiply(&t, &t, &a50);                                          \
        squares(&t, &t, 2);                                              \
        multiply(result, &t, z);                                         \
    } while (0)

// MARK: AVX2: ten limbs of 26 and 25 bits in turn, products of 32 bits by 32

#define AVX2 __attribute__((target("avx2")))
typedef struct { __m256i limb[10]; } four;

AVX2 static inline void four_carry(four *r, __m256i h[10]) {
    const __m256i mask26 = _mm256_set1_epi64x((1 << 26) - 1), mask25 = _mm256_set1_epi64x((1 << 25) - 1);
#define CARRY(i, j, count, mask)                                         \
    h[j] = _mm256_add_epi64(h[j], _mm256_srli_epi64(h[i], count));       \
    h[i] = _mm256_and_si256(h[i], mask)
    CARRY(0, 1, 26, mask26);
    CARRY(4, 5, 26, mask26);
    CARRY(1, 2, 25, mask25);
    CARRY(5, 6, 25, mask25);
    CARRY(2, 3, 26, mask26);
    CARRY(6, 7, 26, mask26);
    CARRY(3, 4, 25, mask25);
    CARRY(7, 8, 25, mask25);
    CARRY(4, 5, 26, mask26);
    CARRY(8, 9, 26, mask26);
    // 2^255 = 19: what leaves the top comes back below, times 19. It may exceed 32 bits, so by shifts.
    const __m256i top = _mm256_srli_epi64(h[9], 25);
    h[9] = _mm256_and_si256(h[9], mask25);
    h[0] = _mm256_add_epi64(
        h[0], _mm256_add_epi64(_mm256_add_epi64(_mm256_slli_epi64(top, 4), _mm256_slli_epi64(top, 1)), top));
    CARRY(0, 1, 26, mask26);
#undef CARRY
    for (int i = 0; i < 10; i++) r->limb[i] = h[i];
}

AVX2 static inline void four_multiply(four *r, const four *f, const four *g) {
    const __m256i nineteen = _mm256_set1_epi64x(19);
    __m256i twice[10], wrapped[10], h[10];
    for (int i = 0; i < 10; i++) {
        twice[i] = _mm256_add_epi64(f->limb[i], f->limb[i]);
        wrapped[i] = _mm256_mul_epu32(g->limb[i], nineteen);
        h[i] = _mm256_setzero_si256();
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < 10; i++) {
#pragma clang loop unroll(full)
        for (int j = 0; j < 10; j++) {
            // Two odd limbs stand half a bit higher each than their places say.
            const __m256i left = (i & 1) && (j & 1) ? twice[i] : f->limb[i];
            const __m256i right = i + j >= 10 ? wrapped[j] : g->limb[j];
            h[(i + j) % 10] = _mm256_add_epi64(h[(i + j) % 10], _mm256_mul_epu32(left, right));
        }
    }
    four_carry(r, h);
}

AVX2 static inline void four_square(four *r, const four *f) {
    const __m256i nineteen = _mm256_set1_epi64x(19);
    __m256i twice[10], fourfold[10], wrapped[10], h[10];
    for (int i = 0; i < 10; i++) {
        twice[i] = _mm256_add_epi64(f->limb[i], f->limb[i]);
        fourfold[i] = _mm256_add_epi64(twice[i], twice[i]);
        wrapped[i] = _mm256_mul_epu32(f->limb[i], nineteen);
        h[i] = _mm256_setzero_si256();
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < 10; i++) {
#pragma clang loop unroll(full)
        for (int j = i; j < 10; j++) {
            const int odd = (i & 1) && (j & 1);
            const __m256i left = i == j ? (odd ? twice[i] : f->limb[i]) : (odd ? fourfold[i] : twice[i]);
            const __m256i right = i + j >= 10 ? wrapped[j] : f->limb[j];
            h[(i + j) % 10] = _mm256_add_epi64(h[(i + j) % 10], _mm256_mul_epu32(left, right));
        }
    }
    four_carry(r, h);
}

AVX2 static void four_squares(four *r, const four *f, int count) {
    four t = *f;
    for (int i = 0; i < count; i++) four_square(&t, &t);
    *r = t;
}

AVX2 void ced_power_of_four(ced_element elements[4]) {
    four z, result;
    for (int i = 0; i < 5; i++) {
        uint64_t low[4], high[4];
        for (int lane = 0; lane < 4; lane++) {
            low[lane] = elements[lane].limb[i] & ((1 << 26) - 1);
            high[lane] = elements[lane].limb[i] >> 26;
        }
        z.limb[2 * i] = _mm256_loadu_si256((const __m256i *)low);
        z.limb[2 * i + 1] = _mm256_loadu_si256((const __m256i *)high);
    }
    POWER_CHAIN(four, &z, four_square, four_squares, four_multiply, &result);
    for (int i = 0; i < 5; i++) {
        uint64_t low[4], high[4];
        _mm256_storeu_si256((__m256i *)low, result.limb[2 * i]);
        _mm256_storeu_si256((__m256i *)high, result.limb[2 * i + 1]);
        for (int lane = 0; lane < 4; lane++) elements[lane].limb[i] = low[lane] + (high[lane] << 26);
    }
}

// MARK: AVX-512 IFMA: five limbs of 51 bits, products of 52 bits by 52 in two halves

#define IFMA __attribute__((target("avx512f,avx512ifma")))
typedef struct { __m512i limb[5]; } eight;

// low[k] stands at 2^(51 k), high[k] at 2^(51 k + 52), that is, twice at place k + 1.
IFMA static inline void eight_carry(eight *r, const __m512i low[9], const __m512i high[9]) {
    const __m512i mask = _mm512_set1_epi64((long long)ced_mask51);
    __m512i z[10], h[5];
    z[0] = low[0];
    for (int k = 1; k < 9; k++) z[k] = _mm512_add_epi64(low[k], _mm512_slli_epi64(high[k - 1], 1));
    z[9] = _mm512_slli_epi64(high[8], 1);
    for (int k = 0; k < 5; k++) {
        // 19 z = 16 z + 2 z + z; below 2^61.
        const __m512i w = z[k + 5];
        h[k] = _mm512_add_epi64(
            _mm512_add_epi64(z[k], w), _mm512_add_epi64(_mm512_slli_epi64(w, 4), _mm512_slli_epi64(w, 1)));
    }
    // One round for all limbs: what is carried is below 2^10, so limbs end below 2^51 + 2^15.
    const __m512i top = _mm512_srli_epi64(h[4], 51);
    const __m512i back = _mm512_add_epi64(
        _mm512_add_epi64(top, _mm512_slli_epi64(top, 4)), _mm512_slli_epi64(top, 1));
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

IFMA static void eight_squares(eight *r, const eight *f, int count) {
    eight t = *f;
    for (int i = 0; i < count; i++) eight_square(&t, &t);
    *r = t;
}

IFMA void ced_power_of_eight(ced_element elements[8]) {
    eight z, result;
    for (int i = 0; i < 5; i++) {
        uint64_t lanes[8];
        for (int lane = 0; lane < 8; lane++) lanes[lane] = elements[lane].limb[i];
        z.limb[i] = _mm512_loadu_si512(lanes);
    }
    POWER_CHAIN(eight, &z, eight_square, eight_squares, eight_multiply, &result);
    for (int i = 0; i < 5; i++) {
        uint64_t lanes[8];
        _mm512_storeu_si512(lanes, result.limb[i]);
        for (int lane = 0; lane < 8; lane++) elements[lane].limb[i] = lanes[lane];
    }
}
#endif
