// Sums of multiples of points: the equation of one signature, and of many at once.
#include "sum.h"

enum {
    bits = 256,
    base_width = 8,                            // signed odd digits below 2^7 in a table of 64 multiples of B
    base_table = 1 << (base_width - 2),
    width = 5,                                 // the same for other points: 8 odd multiples of each
    table = 1 << (width - 2),
    digits = bits + 1,
};

static ced_addend base_multiples[base_table];

// odd[i] = (2i + 1) p
static void odd_multiples(ced_addend *odd, int count, const ced_point *p) {
    const ced_point twice = ced_double(p);
    const ced_addend step = ced_prepare(&twice);
    ced_point next = *p;
    odd[0] = ced_prepare(&next);
    for (int i = 1; i < count; i++) {
        next = ced_sum_of(&next, &step, 0);
        odd[i] = ced_prepare(&next);
    }
}

__attribute__((constructor)) static void prepare_base(void) {
    odd_multiples(base_multiples, base_table, &ced_base);
}

// Non-adjacent form: digits are 0 or odd and below 2^(w-1) in magnitude, of any w in a row at most one is not 0.
static void non_adjacent(int8_t naf[digits], const uint8_t scalar[32], int w) {
    memset(naf, 0, digits);
    uint64_t words[5] = {0};
    for (int i = 0; i < 32; i++) words[i / 8] |= (uint64_t)scalar[i] << (8 * (i % 8));
    const uint64_t size = (uint64_t)1 << w, mask = size - 1;
    uint64_t carry = 0;
    for (int at = 0; at < digits;) {
        const int word = at / 64, bit = at % 64;
        uint64_t window = words[word] >> bit;
        if (bit > 64 - w && word < 4) window |= words[word + 1] << (64 - bit);
        window = carry + (window & mask);
        if ((window & 1) == 0) {
            at += 1;
            continue;
        }
        if (window < size / 2) {
            carry = 0;
            naf[at] = (int8_t)window;
        } else {
            carry = 1;
            naf[at] = (int8_t)((int64_t)window - (int64_t)size);
        }
        at += w;
    }
}

static void add_digit(ced_point *sum, const ced_addend *odd, int digit) {
    if (digit > 0) *sum = ced_sum_of(sum, &odd[digit / 2], 0);
    else if (digit < 0) *sum = ced_sum_of(sum, &odd[-digit / 2], 1);
}

int ced_is_small_order(const ced_point *point) { return ced_eight_times_is_neutral(point); }

int ced_equation_holds(const ced_point *key, const ced_point *r, const uint8_t *s, const uint8_t *k) {
    int8_t base[digits], other[digits];
    ced_addend odd[table];
    uint8_t minus[32];
    ced_scalar_negate(minus, k);
    non_adjacent(base, s, base_width);
    non_adjacent(other, minus, width);
    odd_multiples(odd, table, key);
    ced_point sum = ced_neutral();
    int at = digits - 1;
    while (at >= 0 && base[at] == 0 && other[at] == 0) at--;
    for (; at >= 0; at--) {
        sum = ced_double(&sum);
        add_digit(&sum, base_multiples, base[at]);
        add_digit(&sum, odd, other[at]);
    }
    const ced_addend last = ced_prepare(r);
    sum = ced_sum_of(&sum, &last, 1);
    return ced_eight_times_is_neutral(&sum);
}

// MARK: Straus: one chain of doublings for a group of terms that fits the caches

enum { group = 128 };

typedef struct {
    ced_addend odd[group][table];
    int8_t naf[group][digits];
    int8_t base[digits];
} straus_space;

static ced_point straus(
    const uint8_t *scalars, const ced_point *points, size_t count, const uint8_t *base, straus_space *space) {
    if (base) non_adjacent(space->base, base, base_width);
    for (size_t i = 0; i < count; i++) {
        odd_multiples(space->odd[i], table, &points[i]);
        non_adjacent(space->naf[i], scalars + 32 * i, width);
    }
    ced_point sum = ced_neutral();
    for (int at = digits - 1; at >= 0; at--) {
        sum = ced_double(&sum);
        if (base) add_digit(&sum, base_multiples, space->base[at]);
        for (size_t i = 0; i < count; i++) add_digit(&sum, space->odd[i], space->naf[i][at]);
    }
    return sum;
}

// MARK: Pippenger: terms of one digit are added up by digit first

typedef struct {
    size_t count;
    int window;  // bits of a digit
    int columns; // digits of a scalar
} plan;

static plan plan_for(size_t count) {
    plan p = {count, count < 400 ? 7 : count < 800 ? 8 : count < 2000 ? 9 : count < 6000 ? 10 : 11, 0};
    // 253 bits and a carry out of the last digit.
    p.columns = 254 / p.window + 1;
    return p;
}

static size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }
static size_t buckets_of(plan p) { return (size_t)1 << (p.window - 1); }

// Digits in -2^(w-1)...2^(w-1)-1... of each scalar, columns of one term together.
static void signed_digits(int16_t *out, const uint8_t scalar[32], plan p) {
    uint64_t words[5] = {0};
    for (int i = 0; i < 32; i++) words[i / 8] |= (uint64_t)scalar[i] << (8 * (i % 8));
    const int64_t size = (int64_t)1 << p.window;
    int64_t carry = 0;
    for (int column = 0; column < p.columns; column++) {
        const int at = column * p.window, word = at / 64, bit = at % 64;
        uint64_t window = 0;
        if (word < 4) {
            window = words[word] >> bit;
            if (bit > 64 - p.window) window |= words[word + 1] << (64 - bit);
        }
        int64_t digit = (int64_t)(window & (uint64_t)(size - 1)) + carry;
        carry = digit > size / 2;
        if (carry) digit -= size;
        out[column] = (int16_t)digit;
    }
}

static ced_point pippenger(const uint8_t *scalars, const ced_point *points, plan p, uint8_t *space) {
    ced_addend *addends = (ced_addend *)space;
    space += aligned(p.count * sizeof(ced_addend));
    ced_point *buckets = (ced_point *)space;
    space += aligned(buckets_of(p) * sizeof(ced_point));
    uint8_t *used = space;
    space += aligned(buckets_of(p));
    int16_t *all = (int16_t *)space;
    for (size_t i = 0; i < p.count; i++) {
        addends[i] = ced_prepare(&points[i]);
        signed_digits(all + i * (size_t)p.columns, scalars + 32 * i, p);
    }
    ced_point sum = ced_neutral();
    for (int column = p.columns - 1; column >= 0; column--) {
        for (int i = 0; i < p.window; i++) sum = ced_double(&sum);
        memset(used, 0, buckets_of(p));
        for (size_t i = 0; i < p.count; i++) {
            const int digit = all[i * (size_t)p.columns + (size_t)column];
            if (digit == 0) continue;
            const size_t at = (size_t)(digit < 0 ? -digit : digit) - 1;
            if (!used[at]) {
                buckets[at] = ced_neutral();
                used[at] = 1;
            }
            buckets[at] = ced_sum_of(&buckets[at], &addends[i], digit < 0);
        }
        // sum of (at + 1) * bucket[at] by running sums from the top
        ced_point running = ced_neutral(), total = ced_neutral();
        int begun = 0;
        for (size_t at = buckets_of(p); at-- > 0;) {
            if (used[at]) {
                const ced_addend bucket = ced_prepare(&buckets[at]);
                running = ced_sum_of(&running, &bucket, 0);
                begun = 1;
            }
            if (begun) {
                const ced_addend next = ced_prepare(&running);
                total = ced_sum_of(&total, &next, 0);
            }
        }
        if (begun) {
            const ced_addend add = ced_prepare(&total);
            sum = ced_sum_of(&sum, &add, 0);
        }
    }
    return sum;
}

// Below, Straus is quicker; in eight lanes it always is, but for the fewest terms.
enum { pippenger_from = 400, eights_from = 6 };

size_t ced_sum_scratch(size_t count) {
    const plan p = plan_for(count);
    const size_t large = aligned(count * sizeof(ced_addend)) + aligned(buckets_of(p) * sizeof(ced_point))
        + aligned(buckets_of(p)) + aligned(count * (size_t)p.columns * sizeof(int16_t));
    size_t most = aligned(sizeof(straus_space));
    if (count >= pippenger_from && large > most) most = large;
#if defined(__x86_64__)
    if (ced_eight_scratch(count) > most) most = ced_eight_scratch(count);
#endif
    return most;
}

int ced_sum_is_small(
    const uint8_t *scalars, const ced_point *points, size_t count, const uint8_t *base, void *scratch) {
    const ced_path path = count < eights_from ? ced_path_scalar : ced_widest_path();
    return ced_sum_is_small_by(path, scalars, points, count, base, scratch);
}

int ced_sum_is_small_by(
    ced_path path, const uint8_t *scalars, const ced_point *points, size_t count, const uint8_t *base, void *scratch) {
    ced_point sum;
#if defined(__x86_64__)
    if (path == ced_path_avx512ifma) {
        sum = ced_sum_in_eights(scalars, points, count, base, scratch);
        return ced_eight_times_is_neutral(&sum);
    }
#endif
    (void)path;
    if (count < pippenger_from) {
        sum = straus(scalars, points, count < group ? count : group, base, scratch);
        for (size_t first = group; first < count; first += group) {
            const size_t here = count - first < group ? count - first : group;
            const ced_point part = straus(scalars + 32 * first, points + first, here, NULL, scratch);
            const ced_addend add = ced_prepare(&part);
            sum = ced_sum_of(&sum, &add, 0);
        }
    } else {
        sum = pippenger(scalars, points, plan_for(count), scratch);
        const ced_point fixed = straus(scalars, points, 0, base, scratch);
        const ced_addend add = ced_prepare(&fixed);
        sum = ced_sum_of(&sum, &add, 0);
    }
    return ced_eight_times_is_neutral(&sum);
}
