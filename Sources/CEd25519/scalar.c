// Numbers modulo L = 2^252 + 27742317777372353535851937790883648493, in four words of 64 bits, by Barrett reduction.
#include "comb.h"

typedef unsigned __int128 wide;

static const uint64_t order[4] = {0x5812631a5cf5d3ed, 0x14def9dea2f79cd6, 0, 0x1000000000000000};
// floor(2^512 / L), 261 bits.
static const uint64_t reciprocal[5] = {
    0xed9ce5a30a2c131b, 0x2106215d086329a7, 0xffffffffffffffeb, 0xffffffffffffffff, 0xf};

static void load(uint64_t *words, const uint8_t *bytes, int count) {
    for (int i = 0; i < count; i++) {
        uint64_t w = 0;
        for (int j = 7; j >= 0; j--) w = w << 8 | bytes[8 * i + j];
        words[i] = w;
    }
}

static void store(uint8_t bytes[32], const uint64_t words[4]) {
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 8; j++) bytes[8 * i + j] = (uint8_t)(words[i] >> (8 * j));
}

// result (n + m words) = a (n) * b (m)
static void multiply(uint64_t *result, const uint64_t *a, int n, const uint64_t *b, int m) {
    memset(result, 0, sizeof(uint64_t) * (size_t)(n + m));
    for (int i = 0; i < n; i++) {
        uint64_t carry = 0;
        for (int j = 0; j < m; j++) {
            wide t = (wide)a[i] * b[j] + result[i + j] + carry;
            result[i + j] = (uint64_t)t;
            carry = (uint64_t)(t >> 64);
        }
        result[i + m] = carry;
    }
}

static int is_below_order(const uint64_t a[4]) {
    for (int i = 3; i >= 0; i--) {
        if (a[i] < order[i]) return 1;
        if (a[i] > order[i]) return 0;
    }
    return 0;
}

static void subtract_order(uint64_t a[5]) {
    uint64_t borrow = 0;
    for (int i = 0; i < 5; i++) {
        uint64_t o = i < 4 ? order[i] : 0;
        wide t = (wide)a[i] - o - borrow;
        a[i] = (uint64_t)t;
        borrow = (uint64_t)(t >> 64) & 1;
    }
}

// result = x (8 words) modulo L. Barrett with q = floor(x * reciprocal / 2^512): x < 2^512, so q is short of the true
// quotient by at most 2, and x - qL < 3L fits five words.
static void reduce(uint64_t result[4], const uint64_t x[8]) {
    uint64_t product[13], back[9], rest[5];
    multiply(product, x, 8, reciprocal, 5);
    multiply(back, product + 8, 5, order, 4);
    uint64_t borrow = 0;
    for (int i = 0; i < 5; i++) {
        wide t = (wide)x[i] - back[i] - borrow;
        rest[i] = (uint64_t)t;
        borrow = (uint64_t)(t >> 64) & 1;
    }
    while (rest[4] != 0 || !is_below_order(rest)) subtract_order(rest);
    memcpy(result, rest, 32);
}

int ced_scalar_is_canonical(const uint8_t *scalar) {
    uint64_t words[4];
    load(words, scalar, 4);
    return is_below_order(words);
}

void ced_scalar_reduce(uint8_t *result, const uint8_t *wide_bytes) {
    uint64_t x[8], r[4];
    load(x, wide_bytes, 8);
    reduce(r, x);
    store(result, r);
}

void ced_scalar_multiply_add(uint8_t *result, const uint8_t *a, const uint8_t *b, const uint8_t *c) {
    uint64_t x[4], y[4], z[4], product[8], r[4];
    load(x, a, 4);
    load(y, b, 4);
    load(z, c, 4);
    multiply(product, x, 4, y, 4);
    // (2^256 - 1)^2 + 2^256 - 1 < 2^512: no carry leaves the eighth word.
    uint64_t carry = 0;
    for (int i = 0; i < 8; i++) {
        wide t = (wide)product[i] + (i < 4 ? z[i] : 0) + carry;
        product[i] = (uint64_t)t;
        carry = (uint64_t)(t >> 64);
    }
    reduce(r, product);
    store(result, r);
}

void ced_scalar_negate(uint8_t *result, const uint8_t *a) {
    uint64_t x[4], borrow = 0;
    load(x, a, 4);
    if ((x[0] | x[1] | x[2] | x[3]) != 0) {
        for (int i = 0; i < 4; i++) {
            wide t = (wide)order[i] - x[i] - borrow;
            x[i] = (uint64_t)t;
            borrow = (uint64_t)(t >> 64) & 1;
        }
    }
    store(result, x);
}

void ced_scalar_signs(uint64_t signs[5], const uint8_t *scalar, int negated) {
    uint64_t x[4];
    load(x, scalar, 4);
    // x or x + L; L - x or 2L - x: whichever is odd. All are below 2^254.
    const uint64_t is_odd = x[0] & 1, times = negated ? 1 + is_odd : 1 - is_odd;
    uint64_t carry = 0, borrow = 0;
    for (int i = 0; i < 4; i++) {
        const wide sum = (wide)order[i] * times + (negated ? 0 : x[i]) + carry;
        carry = (uint64_t)(sum >> 64);
        const wide rest = (wide)(uint64_t)sum - (negated ? x[i] : 0) - borrow;
        borrow = (uint64_t)(rest >> 64) & 1;
        x[i] = (uint64_t)rest;
    }
    // The sum of all +-2^i is 2 (that of the bits that are set) - (2^260 - 1).
    for (int i = 0; i < 4; i++) signs[i] = x[i] >> 1 | (i < 3 ? x[i + 1] << 63 : 0);
    signs[4] = 8;
}
