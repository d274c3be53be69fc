// From 32 bytes to a point: a square root in GF(2^255 - 19), which is a power of 254 squarings. Batches spend most of
// their time here, so it is done for four or eight strings at once where the processor can.
#include "decode.h"

// What RFC 8032, section 5.1.3 computes before and after the power: u = y^2 - 1, v = d y^2 + 1, the candidate
// x = u v^3 (u v^7)^((p-5)/8).
typedef struct { ced_element y, u, v, uv3; } ced_start;

static ced_start start(const uint8_t bytes[32], ced_element *base) {
    ced_start s;
    const ced_element one = ced_small(1);
    s.y = ced_from_bytes(bytes);
    const ced_element yy = ced_square(&s.y), dyy = ced_multiply(&yy, &ced_d);
    s.u = ced_subtract(&yy, &one);
    s.v = ced_add(&dyy, &one);
    const ced_element vv = ced_square(&s.v), v3 = ced_multiply(&vv, &s.v), v4 = ced_square(&vv);
    s.uv3 = ced_multiply(&s.u, &v3);
    *base = ced_multiply(&s.uv3, &v4);
    return s;
}

static int finish(ced_point *point, const ced_start *s, const ced_element *power, int sign) {
    const ced_element zero = ced_small(0);
    ced_element x = ced_multiply(&s->uv3, power);
    const ced_element xx = ced_square(&x), vxx = ced_multiply(&s->v, &xx), sum = ced_add(&vxx, &s->u);
    // u is a difference itself, too large to be taken off: of small y, whose u may be held as less or more by p than the
    // product, the roots were not seen.
    if (!ced_is_equal(&s->u, &vxx)) {
        if (!ced_is_zero(&sum)) {
            *point = ced_neutral();
            return 0;
        }
        x = ced_multiply(&x, &ced_root_of_minus_one);
    }
    x = ced_canonical(&x);
    // ZIP 215: x = 0 stays as it is, whatever the sign bit says.
    if ((int)(x.limb[0] & 1) != sign) x = ced_subtract(&zero, &x);
    *point = (ced_point){x, s->y, ced_small(1), ced_multiply(&x, &s->y)};
    return 1;
}

ced_element ced_power(const ced_element *z) {
    ced_element z2 = ced_square(z), t = ced_squares(&z2, 2);
    const ced_element z9 = ced_multiply(&t, z), z11 = ced_multiply(&z9, &z2);
    t = ced_square(&z11);
    const ced_element a5 = ced_multiply(&t, &z9);  // 2^5 - 1
    t = ced_squares(&a5, 5);
    const ced_element a10 = ced_multiply(&t, &a5);
    t = ced_squares(&a10, 10);
    const ced_element a20 = ced_multiply(&t, &a10);
    t = ced_squares(&a20, 20);
    const ced_element a40 = ced_multiply(&t, &a20);
    t = ced_squares(&a40, 10);
    const ced_element a50 = ced_multiply(&t, &a10);
    t = ced_squares(&a50, 50);
    const ced_element a100 = ced_multiply(&t, &a50);
    t = ced_squares(&a100, 100);
    const ced_element a200 = ced_multiply(&t, &a100);
    t = ced_squares(&a200, 50);
    const ced_element a250 = ced_multiply(&t, &a50);
    t = ced_squares(&a250, 2);
    return ced_multiply(&t, z);
}

int ced_decode(ced_point *point, const uint8_t *bytes) {
    ced_element base;
    const ced_start s = start(bytes, &base);
    const ced_element root = ced_power(&base);
    return finish(point, &s, &root, bytes[31] >> 7);
}

ced_path ced_widest_path(void) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512ifma") && __builtin_cpu_supports("avx512f")) return ced_path_avx512ifma;
    if (__builtin_cpu_supports("avx2")) return ced_path_avx2;
#endif
    return ced_path_scalar;
}

void ced_decode_many_by(ced_path path, ced_point *points, uint8_t *valid, const uint8_t *bytes, size_t count) {
    enum { most = 8 };
    const size_t lanes = path == ced_path_avx512ifma ? 8 : path == ced_path_avx2 ? 4 : 1;
    ced_start starts[most];
    ced_element powers[most];
    for (size_t first = 0; first < count; first += lanes) {
        const size_t here = count - first < lanes ? count - first : lanes;
        for (size_t i = 0; i < lanes; i++) {
            if (i < here) starts[i] = start(bytes + 32 * (first + i), &powers[i]);
            else powers[i] = ced_small(1);
        }
        // A lone string is quicker alone.
        if (here <= lanes / 4 || lanes == 1) {
            for (size_t i = 0; i < here; i++) powers[i] = ced_power(&powers[i]);
        }
#if defined(__x86_64__)
        else if (lanes == 8) ced_power_of_eight(powers);
        else ced_power_of_four(powers);
#endif
        for (size_t i = 0; i < here; i++)
            valid[first + i] = (uint8_t)finish(&points[first + i], &starts[i], &powers[i], bytes[32 * (first + i) + 31] >> 7);
    }
}

void ced_decode_many(ced_point *points, uint8_t *valid, const uint8_t *bytes, size_t count) {
    ced_decode_many_by(ced_widest_path(), points, valid, bytes, count);
}
