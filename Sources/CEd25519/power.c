// The power 2^252 - 3 of four elements by AVX2 and of eight by AVX-512 IFMA, one element in each lane.
#include "decode.h"
#include "eight.h"

#if defined(__x86_64__)

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

// MARK: AVX-512 IFMA

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
