// Sums of multiples of points in eight lanes at once, by AVX-512 IFMA: each lane adds up terms of its own with Straus'
// method, and in the end the lanes are added.
#include "sum.h"
#include "eight_point.h"

#if defined(__x86_64__)

enum {
    lanes = 8,
    multiples = 8,  // 1 to 8 times each point: digits of four bits are -8 to 7
    columns = 64,   // of a scalar below 2^253
    short_columns = 33, // of one below 2^128, and what the last digit carries
    group = 32,     // of eight terms each, as many as stay in the caches
};

// Eight terms.
typedef struct {
    eight_addend times[multiples];
    int8_t digits[columns][lanes];
    int used; // columns in which some digit may not be 0
} eight_terms;

IFMA static inline void load(eight *r, const ced_point *const points[lanes], size_t offset) {
    __m512i h[5];
    for (int k = 0; k < 5; k++) {
        uint64_t values[lanes];
        for (int lane = 0; lane < lanes; lane++)
            values[lane] = ((const ced_element *)((const uint8_t *)points[lane] + offset))->limb[k];
        h[k] = _mm512_loadu_si512(values);
    }
    // A point's elements may be differences.
    eight_settle(r, h);
}

static int is_short(const uint8_t scalar[32]) {
    uint8_t high = 0;
    for (int i = 16; i < 32; i++) high |= scalar[i];
    return high == 0;
}

// Digits of four bits, -8 to 7, the lowest first.
static void recode(int8_t digits[columns][lanes], int lane, const uint8_t scalar[32]) {
    int carry = 0;
    for (int column = 0; column < columns; column++) {
        int digit = (scalar[column / 2] >> (4 * (column % 2)) & 15) + carry;
        carry = digit > 7;
        digits[column][lane] = (int8_t)(digit - 16 * carry);
    }
}

IFMA static void begin(eight_terms *terms, const ced_point *const points[lanes], const uint8_t *const scalars[lanes],
    int used, const eight *twice_d) {
    eight_point next;
    load(&next.x, points, offsetof(ced_point, x));
    load(&next.y, points, offsetof(ced_point, y));
    load(&next.z, points, offsetof(ced_point, z));
    load(&next.t, points, offsetof(ced_point, t));
    eight_prepare(&terms->times[0], &next, twice_d);
    for (int i = 1; i < multiples; i++) {
        eight_sum(&next, &terms->times[0], 0);
        eight_prepare(&terms->times[i], &next, twice_d);
    }
    for (int lane = 0; lane < lanes; lane++) recode(terms->digits, lane, scalars[lane]);
    terms->used = used;
}

// For each lane the multiple that its digit names, by looking at all.
IFMA static inline __mmask8 find(eight_addend *r, const eight_terms *terms, int column) {
    const __m512i digits = _mm512_cvtepi8_epi64(_mm_loadl_epi64((const __m128i *)terms->digits[column]));
    const __m512i sizes = _mm512_abs_epi64(digits), zero = _mm512_setzero_si512(), one = _mm512_set1_epi64(1);
    __m512i *limbs = (__m512i *)r;
    // The neutral point for the digit 0: 1, 1, 2, 0.
    for (int i = 0; i < 20; i++) limbs[i] = zero;
    limbs[0] = limbs[5] = one;
    limbs[10] = _mm512_add_epi64(one, one);
#pragma clang loop unroll(full)
    for (int i = 0; i < multiples; i++) {
        const __mmask8 here = _mm512_cmpeq_epi64_mask(sizes, _mm512_set1_epi64(i + 1));
        const __m512i *from = (const __m512i *)&terms->times[i];
#pragma clang loop unroll(full)
        for (int k = 0; k < 20; k++) limbs[k] = _mm512_mask_mov_epi64(limbs[k], here, from[k]);
    }
    return _mm512_cmplt_epi64_mask(digits, zero);
}

IFMA static ced_point add_lanes(const eight_point *p) {
    ced_point all[lanes];
    const eight *elements[4] = {&p->x, &p->y, &p->z, &p->t};
    for (int element = 0; element < 4; element++) {
        for (int k = 0; k < 5; k++) {
            uint64_t values[lanes];
            _mm512_storeu_si512(values, elements[element]->limb[k]);
            for (int lane = 0; lane < lanes; lane++) ((ced_element *)&all[lane])[element].limb[k] = values[lane];
        }
    }
    ced_point sum = all[0];
    for (int lane = 1; lane < lanes; lane++) {
        const ced_addend next = ced_prepare(&all[lane]);
        sum = ced_sum_of(&sum, &next, 0);
    }
    return sum;
}

IFMA static ced_point sum_of_group(const eight_terms *terms, size_t count) {
    eight_point sum;
    const ced_element zero = ced_small(0), one = ced_small(1);
    eight_all(&sum.x, &zero);
    eight_all(&sum.y, &one);
    eight_all(&sum.z, &one);
    eight_all(&sum.t, &zero);
    int begun = 0;
    for (int column = columns - 1; column >= 0; column--) {
        if (begun) {
            for (int i = 0; i < 4; i++) eight_double(&sum, i == 3);
        }
        for (size_t i = 0; i < count; i++) {
            if (terms[i].used <= column) continue;
            eight_addend addend;
            const __mmask8 negative = find(&addend, &terms[i], column);
            eight_sum(&sum, &addend, negative);
            begun = 1;
        }
    }
    return add_lanes(&sum);
}

size_t ced_eight_scratch(size_t count) {
    // The base point is one more, and long and short ones don't share eight.
    const size_t all = (count + 1 + lanes - 1) / lanes + 1;
    return (all < group ? all : group) * sizeof(eight_terms);
}

IFMA ced_point ced_sum_in_eights(
    const uint8_t *scalars, const ced_point *points, size_t count, const uint8_t *base, void *scratch) {
    static const ced_point nothing = {{{0}}, {{1}}, {{1}}, {{0}}};
    static const uint8_t none[32];
    eight_terms *terms = scratch;
    eight twice_d;
    eight_all(&twice_d, &ced_2d);
    ced_point sum = ced_neutral();
    size_t begun = 0;
    // Long scalars first, then short ones, which take half the columns.
    for (int want_short = 0; want_short < 2; want_short++) {
        const ced_point *term_points[lanes];
        const uint8_t *term_scalars[lanes];
        int held = 0;
        for (size_t i = 0; i <= count; i++) {
            const uint8_t *scalar = i < count ? scalars + 32 * i : base;
            if (is_short(scalar) == want_short) {
                term_points[held] = i < count ? &points[i] : &ced_base;
                term_scalars[held++] = scalar;
            }
            const int is_last = i == count;
            if (held == 0 || (held < lanes && !is_last)) continue;
            for (; held < lanes; held++) {
                term_points[held] = &nothing;
                term_scalars[held] = none;
            }
            begin(&terms[begun++], term_points, term_scalars, want_short ? short_columns : columns, &twice_d);
            held = 0;
            if (begun < group && !(want_short && is_last)) continue;
            const ced_point part = sum_of_group(terms, begun);
            const ced_addend next = ced_prepare(&part);
            sum = ced_sum_of(&sum, &next, 0);
            begun = 0;
        }
    }
    if (begun > 0) {
        const ced_point part = sum_of_group(terms, begun);
        const ced_addend next = ced_prepare(&part);
        sum = ced_sum_of(&sum, &next, 0);
    }
    return sum;
}
#endif
