// Checks with prepared keys in eight lanes by AVX-512 IFMA. Where there are fewer than eight signatures, several lanes
// share the combs of one.
#include "comb.h"
#include "eight_point.h"

#if defined(__x86_64__)

enum { lanes = 8, ahead = 4 };

typedef struct { eight sum, difference, t2d; } eight_affine;

// What is added, in order: an entry for each lane, negated in some.
typedef struct {
    const ced_affine *entries[ced_columns * ced_combs + ahead][lanes];
    uint8_t negated[ced_columns * ced_combs];
    int each; // entries of a column
} plan;

// Loads an entry for each lane, negated where `negated` says so: limbs below 2^52.
IFMA static inline void load(eight_affine *q, const ced_affine *const entries[lanes], __mmask8 negated) {
    __m512i words[16];
    for (int half = 0; half < 2; half++) {
        for (int lane = 0; lane < lanes; lane++)
            words[8 * half + lane] = _mm512_loadu_si512((const uint8_t *)entries[lane] + 64 * half);
        eight_transpose(words + 8 * half);
    }
    for (int k = 0; k < 5; k++) {
        q->sum.limb[k] = _mm512_mask_mov_epi64(words[k], negated, words[5 + k]);
        q->difference.limb[k] = _mm512_mask_mov_epi64(words[5 + k], negated, words[k]);
        // 2p - t2d, since entries are below p.
        const __m512i two_p = _mm512_set1_epi64(k == 0 ? 0xfffffffffffda : 0xffffffffffffe);
        q->t2d.limb[k] = _mm512_mask_sub_epi64(words[10 + k], negated, two_p, words[10 + k]);
    }
}

// As ced_sum_with.
IFMA static inline void sum_with(eight_point *p, const eight_affine *q) {
    eight low, high, a, b, c, d, e, f, g, h;
    eight_subtract(&low, &p->y, &p->x);
    eight_add(&high, &p->y, &p->x);
    eight_multiply(&a, &low, &q->difference);
    eight_multiply(&b, &high, &q->sum);
    eight_multiply(&c, &p->t, &q->t2d);
    // Goes into sums alone, which are settled.
    for (int k = 0; k < 5; k++) d.limb[k] = _mm512_add_epi64(p->z.limb[k], p->z.limb[k]);
    eight_subtract(&e, &b, &a);
    eight_add(&h, &b, &a);
    eight_subtract(&f, &d, &c);
    eight_add(&g, &d, &c);
    eight_multiply(&p->x, &e, &f);
    eight_multiply(&p->y, &g, &h);
    eight_multiply(&p->z, &f, &g);
    eight_multiply(&p->t, &e, &h);
}

// Each lane's point and that of the lane whose number differs in one bit.
IFMA static void add_partners(eight_point *p, int bit) {
    const __m512i partner = _mm512_xor_si512(_mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0), _mm512_set1_epi64(bit));
    eight twice_d;
    eight_all(&twice_d, &ced_2d);
    eight_point other;
    const eight *from[4] = {&p->x, &p->y, &p->z, &p->t};
    eight *to[4] = {&other.x, &other.y, &other.z, &other.t};
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 5; k++) to[i]->limb[k] = _mm512_permutexvar_epi64(partner, from[i]->limb[k]);
    eight_addend addend;
    eight_prepare(&addend, &other, &twice_d);
    eight_sum(p, &addend, 0);
}

IFMA static void sums(eight_point *sum, const plan *todo) {
    const ced_element zero = ced_small(0), one = ced_small(1);
    eight_all(&sum->x, &zero);
    eight_all(&sum->y, &one);
    eight_all(&sum->z, &one);
    eight_all(&sum->t, &zero);
    int at = 0;
    for (int column = ced_columns - 1; column >= 0; column--) {
        if (column < ced_columns - 1) eight_double(sum, 1);
        for (int i = 0; i < todo->each; i++, at++) {
            // Tables seldom are in the nearest cache.
            for (int lane = 0; lane < lanes; lane++) {
                _mm_prefetch((const char *)todo->entries[at + ahead][lane], _MM_HINT_T0);
                _mm_prefetch((const char *)todo->entries[at + ahead][lane] + 64, _MM_HINT_T0);
            }
            eight_affine next;
            load(&next, todo->entries[at], todo->negated[at]);
            sum_with(sum, &next);
        }
    }
}

IFMA static void up_to_eight(ced_point *points, const ced_key *const *keys, const ced_choice *choices, size_t count) {
    static const ced_affine nothing = {{{1}}, {{1}}, {{0}}, 0};
    // Lanes of each signature.
    const int share = count > 4 ? 1 : count > 2 ? 2 : count > 1 ? 4 : 8;
    plan todo;
    todo.each = (ced_combs + share - 1) / share;
    const int all = ced_columns * todo.each;
    memset(todo.negated, 0, sizeof todo.negated);
    for (int lane = 0; lane < lanes; lane++) {
        const size_t signature = (size_t)(lane / share);
        for (int i = 0; i < todo.each; i++) {
            const int comb = i * share + lane % share;
            if (signature >= count || comb >= ced_combs) {
                for (int at = i; at < all; at += todo.each) todo.entries[at][lane] = &nothing;
                continue;
            }
            const ced_affine *table = ced_table(keys[signature], comb);
            const uint16_t *chosen = choices[signature].entry[comb];
            for (int column = ced_columns - 1, at = i; column >= 0; column--, at += todo.each) {
                todo.entries[at][lane] = table + (chosen[column] & (ced_negated - 1));
                todo.negated[at] |= (uint8_t)((chosen[column] >> 15) << lane);
            }
        }
        for (int at = all; at < all + ahead; at++) todo.entries[at][lane] = &nothing;
    }
    eight_point sum;
    sums(&sum, &todo);
    for (int bit = 1; bit < share; bit *= 2) add_partners(&sum, bit);
    const eight *elements[4] = {&sum.x, &sum.y, &sum.z, &sum.t};
    for (int element = 0; element < 4; element++) {
        for (int k = 0; k < 5; k++) {
            uint64_t values[lanes];
            _mm512_storeu_si512(values, elements[element]->limb[k]);
            for (size_t i = 0; i < count; i++) {
                ced_element *to[4] = {&points[i].x, &points[i].y, &points[i].z, &points[i].t};
                to[element]->limb[k] = values[i * (size_t)share];
            }
        }
    }
}

void ced_points_in_eights(ced_point *points, const ced_key *const *keys, const ced_choice *choices, size_t count) {
    for (size_t first = 0; first < count; first += lanes) {
        const size_t here = count - first < lanes ? count - first : lanes;
        up_to_eight(points + first, keys + first, choices + first, here);
    }
}
#endif
