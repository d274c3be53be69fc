// Group operations on edwards25519 in eight lanes, one point in each: those of point.h.
#ifndef CED_EIGHT_POINT_H
#define CED_EIGHT_POINT_H

#include "eight.h"
#include "point.h"

#if defined(__x86_64__)

typedef struct { eight x, y, z, t; } eight_point;
typedef struct { eight sum, difference, z2, t2d; } eight_addend;

IFMA static inline void eight_all(eight *r, const ced_element *value) {
    for (int k = 0; k < 5; k++) r->limb[k] = _mm512_set1_epi64((long long)value->limb[k]);
}

IFMA static inline void eight_prepare(eight_addend *r, const eight_point *p, const eight *twice_d) {
    eight_add(&r->sum, &p->y, &p->x);
    eight_subtract(&r->difference, &p->y, &p->x);
    eight_add(&r->z2, &p->z, &p->z);
    eight_multiply(&r->t2d, &p->t, twice_d);
}

// dbl-2008-hwcd as in ced_double. T is of use to a sum alone.
IFMA static inline void eight_double(eight_point *p, int with_t) {
    eight a, b, zz, xy, s, e, f, g, h;
    eight_square(&a, &p->x);
    eight_square(&b, &p->y);
    eight_square(&zz, &p->z);
    eight_add(&xy, &p->x, &p->y);
    eight_square(&s, &xy);
    // Sums of several, each settled once.
    for (int k = 0; k < 5; k++) {
        h.limb[k] = _mm512_add_epi64(a.limb[k], b.limb[k]);
        e.limb[k] = _mm512_sub_epi64(_mm512_add_epi64(h.limb[k], eight_four_p(k)), s.limb[k]);
        g.limb[k] = _mm512_sub_epi64(_mm512_add_epi64(a.limb[k], eight_four_p(k)), b.limb[k]);
        f.limb[k] = _mm512_add_epi64(_mm512_add_epi64(zz.limb[k], zz.limb[k]), g.limb[k]);
    }
    eight_settle(&e, e.limb);
    eight_settle(&f, f.limb);
    eight_settle(&g, g.limb);
    eight_settle(&h, h.limb);
    eight_multiply(&p->x, &e, &f);
    eight_multiply(&p->y, &g, &h);
    eight_multiply(&p->z, &f, &g);
    if (with_t) eight_multiply(&p->t, &e, &h);
}

// add-2008-hwcd-3 as in ced_sum_of, of the addends' negations where `negative` says so.
IFMA static inline void eight_sum(eight_point *p, const eight_addend *q, __mmask8 negative) {
    eight low, high, a, b, c, d, e, h, difference, sum, plus, minus, f, g;
    for (int k = 0; k < 5; k++) {
        difference.limb[k] = _mm512_mask_mov_epi64(q->difference.limb[k], negative, q->sum.limb[k]);
        sum.limb[k] = _mm512_mask_mov_epi64(q->sum.limb[k], negative, q->difference.limb[k]);
    }
    eight_subtract(&low, &p->y, &p->x);
    eight_add(&high, &p->y, &p->x);
    eight_multiply(&a, &low, &difference);
    eight_multiply(&b, &high, &sum);
    eight_multiply(&c, &p->t, &q->t2d);
    eight_multiply(&d, &p->z, &q->z2);
    eight_subtract(&e, &b, &a);
    eight_add(&h, &b, &a);
    eight_subtract(&minus, &d, &c);
    eight_add(&plus, &d, &c);
    for (int k = 0; k < 5; k++) {
        f.limb[k] = _mm512_mask_mov_epi64(minus.limb[k], negative, plus.limb[k]);
        g.limb[k] = _mm512_mask_mov_epi64(plus.limb[k], negative, minus.limb[k]);
    }
    eight_multiply(&p->x, &e, &f);
    eight_multiply(&p->y, &g, &h);
    eight_multiply(&p->z, &f, &g);
    eight_multiply(&p->t, &e, &h);
}

#endif
#endif
