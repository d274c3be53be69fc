// Inverses in GF(2^255 - 19) by divsteps (Bernstein and Yang 2019), 62 at a time, in variable time: two fifths of
// what the power p - 2 takes.
#include "inverse.h"

typedef __int128 signed_wide;

enum { step_bits = 62, limbs = 5, most_rounds = 12 }; // 738 steps are enough for 255 bits
static const uint64_t mask62 = ((uint64_t)1 << step_bits) - 1;

// A number below 2^255 in magnitude: sum of limb[i] * 2^(62 i), limbs below 2^62 but for the last, which has the sign.
typedef struct { int64_t limb[limbs]; } whole;

// What 62 steps do to (f, g): (u f + v g, q f + r g) / 2^62. |u| + |v| and |q| + |r| are at most 2^62.
typedef struct { int64_t u, v, q, r; } steps;

// 2^(-62 i)
static ced_element halvings[most_rounds + 1];

// Counted in words that wrap around; only the low 62 bits of f and g decide.
static steps take_steps(int *delta, uint64_t f, uint64_t g) {
    uint64_t u = 1, v = 0, q = 0, r = 1;
    for (int left = step_bits;;) {
        // An even g is halved, which doubles the row of f.
        const int zeros = __builtin_ctzll(g | (uint64_t)1 << left);
        g >>= zeros;
        u <<= zeros;
        v <<= zeros;
        *delta += zeros;
        left -= zeros;
        if (left == 0) break;
        if (*delta > 0) {
            const uint64_t f_was = f, u_was = u, v_was = v;
            *delta = -*delta;
            f = g, u = q, v = r;
            g = -f_was, q = -u_was, r = -v_was;
        }
        // Until delta is above 0 each step adds f to an odd g and halves: so many steps add up to a multiple of f that
        // makes as many bits of g 0. f (2 - f^2) is the inverse of f modulo 64, since f^2 is 1 modulo 8.
        int count = 1 - *delta < left ? 1 - *delta : left;
        if (count > 6) count = 6;
        const uint64_t times = g * f * (f * f - 2) & (((uint64_t)1 << count) - 1);
        g += times * f;
        q += times * u;
        r += times * v;
    }
    return (steps){(int64_t)u, (int64_t)v, (int64_t)q, (int64_t)r};
}

// (a x + b y) / 2^62, which is whole.
static whole combined(int64_t a, const whole *x, int64_t b, const whole *y) {
    whole result;
    signed_wide sum = (signed_wide)a * x->limb[0] + (signed_wide)b * y->limb[0];
    sum >>= step_bits;
    for (int i = 1; i < limbs; i++) {
        sum += (signed_wide)a * x->limb[i] + (signed_wide)b * y->limb[i];
        result.limb[i - 1] = (int64_t)((uint64_t)sum & mask62);
        sum >>= step_bits;
    }
    result.limb[limbs - 1] = (int64_t)sum;
    return result;
}

// a x + b y modulo p. 2^64 times 4p is added, which is more than either product can be below 0.
static ced_element combined_elements(int64_t a, const ced_element *x, int64_t b, const ced_element *y) {
    ced_wide sum[limbs];
    for (int i = 0; i < limbs; i++) {
        sum[i] = (ced_wide)((signed_wide)a * (int64_t)x->limb[i] + (signed_wide)b * (int64_t)y->limb[i]);
        sum[i] += (ced_wide)(i == 0 ? 0x1fffffffffffb4 : 0x1ffffffffffffc) << 64;
    }
    return ced_carry(sum[0], sum[1], sum[2], sum[3], sum[4]);
}

static whole whole_of(const ced_element *canonical) {
    const uint64_t *x = canonical->limb;
    return (whole){{
        (int64_t)((x[0] | x[1] << 51) & mask62), (int64_t)((x[1] >> 11 | x[2] << 40) & mask62),
        (int64_t)((x[2] >> 22 | x[3] << 29) & mask62), (int64_t)((x[3] >> 33 | x[4] << 18) & mask62),
        (int64_t)(x[4] >> 44)}};
}

static int is_zero(const whole *x) {
    int64_t all = 0;
    for (int i = 0; i < limbs; i++) all |= x->limb[i];
    return all == 0;
}

static ced_element by_steps(const ced_element *z) {
    const ced_element canonical = ced_canonical(z);
    // p = 2^255 - 19
    whole f = {{(int64_t)(mask62 - 18), (int64_t)mask62, (int64_t)mask62, (int64_t)mask62, 127}}, g = whole_of(&canonical);
    // f 2^(62 rounds) = d z and g 2^(62 rounds) = e z, modulo p.
    ced_element d = ced_small(0), e = ced_small(1);
    int delta = 1, rounds = 0;
    for (; rounds < most_rounds && !is_zero(&g); rounds++) {
        const steps s = take_steps(
            &delta, (uint64_t)f.limb[0] | (uint64_t)f.limb[1] << 62, (uint64_t)g.limb[0] | (uint64_t)g.limb[1] << 62);
        const whole f_was = f;
        const ced_element d_was = d;
        f = combined(s.u, &f_was, s.v, &g);
        g = combined(s.q, &f_was, s.r, &g);
        d = combined_elements(s.u, &d_was, s.v, &e);
        e = combined_elements(s.q, &d_was, s.r, &e);
    }
    // f is 1 or -1 now.
    const ced_element inverse = ced_multiply(&d, &halvings[rounds]), zero = ced_small(0);
    return f.limb[limbs - 1] < 0 ? ced_subtract(&zero, &inverse) : inverse;
}

// z^(p - 2), which is (z^((p - 5) / 8))^8 z^3.
static ced_element by_power(const ced_element *z) {
    ced_element r = ced_power(z);
    r = ced_squares(&r, 3);
    const ced_element zz = ced_square(z), z3 = ced_multiply(&zz, z);
    return ced_multiply(&r, &z3);
}

ced_element ced_invert(const ced_element *z) {
    // Whoever relies on it relies on no more than this product.
    const ced_element quick = by_steps(z), product = ced_multiply(&quick, z), one = ced_small(1);
    return ced_is_equal(&product, &one) ? quick : by_power(z);
}

void ced_prepare_inverses(void) {
    const ced_element step = ced_small((uint64_t)1 << step_bits), half = by_power(&step);
    halvings[0] = ced_small(1);
    for (int i = 1; i <= most_rounds; i++) halvings[i] = ced_multiply(&halvings[i - 1], &half);
}
