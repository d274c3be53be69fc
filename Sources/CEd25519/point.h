// Group operations on edwards25519, -x^2 + y^2 = 1 + d x^2 y^2.
#ifndef CED_POINT_H
#define CED_POINT_H

#include "element.h"

static const ced_element ced_d = {{0x34dca135978a3, 0x1a8283b156ebd, 0x5e7a26001c029, 0x739c663a03cbb, 0x52036cee2b6ff}};
static const ced_element ced_2d = {{0x69b9426b2f159, 0x35050762add7a, 0x3cf44c0038052, 0x6738cc7407977, 0x2406d9dc56dff}};
static const ced_element ced_root_of_minus_one = {
    {0x61b274a0ea0b0, 0xd5a5fc8f189d, 0x7ef5e9cbd0c60, 0x78595a6804c9e, 0x2b8324804fc1d}};
// RFC 8032's base point: y = 4/5, x even.
static const ced_point ced_base = {
    {{0x62d608f25d51a, 0x412a4b4f6592a, 0x75b7171a4b31d, 0x1ff60527118fe, 0x216936d3cd6e5}},
    {{0x6666666666658, 0x4cccccccccccc, 0x1999999999999, 0x3333333333333, 0x6666666666666}},
    {{1, 0, 0, 0, 0}},
    {{0x68ab3a5b7dda3, 0xeea2a5eadbb, 0x2af8df483c27e, 0x332b375274732, 0x67875f0fd78b7}}};

static inline ced_point ced_neutral(void) {
    return (ced_point){ced_small(0), ced_small(1), ced_small(1), ced_small(0)};
}

static inline int ced_is_neutral(const ced_point *p) { return ced_is_zero(&p->x) && ced_is_equal(&p->y, &p->z); }

static inline ced_addend ced_prepare(const ced_point *p) {
    return (ced_addend){
        ced_add(&p->y, &p->x), ced_subtract(&p->y, &p->x), ced_add(&p->z, &p->z), ced_multiply(&p->t, &ced_2d)};
}

// The last steps that addition and doubling share: X = EF, Y = GH, Z = FG, T = EH.
static inline ced_point ced_finish(const ced_element *e, const ced_element *f, const ced_element *g, const ced_element *h) {
    return (ced_point){ced_multiply(e, f), ced_multiply(g, h), ced_multiply(f, g), ced_multiply(e, h)};
}

// add-2008-hwcd-3; with `negative` the addend's negation is added.
static inline ced_point ced_sum_of(const ced_point *p, const ced_addend *q, int negative) {
    const ced_element low = ced_subtract(&p->y, &p->x), high = ced_add(&p->y, &p->x);
    const ced_element a = ced_multiply(&low, negative ? &q->sum : &q->difference);
    const ced_element b = ced_multiply(&high, negative ? &q->difference : &q->sum);
    const ced_element c = ced_multiply(&p->t, &q->t2d), d = ced_multiply(&p->z, &q->z2);
    const ced_element e = ced_subtract(&b, &a), h = ced_add(&b, &a);
    const ced_element minus = ced_subtract(&d, &c), plus = ced_add(&d, &c);
    return ced_finish(&e, negative ? &plus : &minus, negative ? &minus : &plus, &h);
}

// The same of an addend with Z = 1.
static inline ced_point ced_sum_with(const ced_point *p, const ced_affine *q, int negative) {
    const ced_element low = ced_subtract(&p->y, &p->x), high = ced_add(&p->y, &p->x);
    const ced_element a = ced_multiply(&low, negative ? &q->sum : &q->difference);
    const ced_element b = ced_multiply(&high, negative ? &q->difference : &q->sum);
    const ced_element c = ced_multiply(&p->t, &q->t2d), d = ced_add(&p->z, &p->z);
    const ced_element e = ced_subtract(&b, &a), h = ced_add(&b, &a);
    const ced_element minus = ced_subtract(&d, &c), plus = ced_add(&d, &c);
    return ced_finish(&e, negative ? &plus : &minus, negative ? &minus : &plus, &h);
}

// dbl-2008-hwcd, all four signs turned.
static inline ced_point ced_double(const ced_point *p) {
    const ced_element a = ced_square(&p->x), b = ced_square(&p->y), zz = ced_square(&p->z);
    const ced_element xy = ced_add(&p->x, &p->y), s = ced_square(&xy);
    const ced_element c = ced_add(&zz, &zz), h = ced_add(&a, &b);
    const ced_element e = ced_subtract(&h, &s), g = ced_subtract(&a, &b), f = ced_add(&c, &g);
    return ced_finish(&e, &f, &g, &h);
}

static inline int ced_eight_times_is_neutral(const ced_point *p) {
    ced_point r = ced_double(p);
    r = ced_double(&r);
    r = ced_double(&r);
    return ced_is_neutral(&r);
}

#endif
