#include "comb.h"
#include "inverse.h"

// As keys' tables are: an entry in two cache lines.
_Alignas(64) ced_affine ced_base_table[ced_base_combs * ced_base_entries];

// MARK: Inverses

enum { at_once = 64 };

// The inverses of the points' Z by one inversion (Montgomery 1987). None is 0.
static void invert(ced_element inverses[at_once], const ced_point *points, size_t count) {
    ced_element all = ced_small(1);
    for (size_t i = 0; i < count; i++) {
        inverses[i] = all;
        all = ced_multiply(&all, &points[i].z);
    }
    all = ced_invert(&all);
    for (size_t i = count; i-- > 0;) {
        inverses[i] = ced_multiply(&inverses[i], &all);
        all = ced_multiply(&all, &points[i].z);
    }
}

// MARK: Tables

static void settle(ced_affine *affine, const ced_point *points, size_t count) {
    for (size_t first = 0; first < count; first += at_once) {
        const size_t here = count - first < at_once ? count - first : at_once;
        ced_element inverses[at_once];
        invert(inverses, points + first, here);
        for (size_t i = 0; i < here; i++) {
            const ced_element x = ced_multiply(&points[first + i].x, &inverses[i]);
            const ced_element y = ced_multiply(&points[first + i].y, &inverses[i]);
            const ced_element t = ced_multiply(&x, &y), t2d = ced_multiply(&t, &ced_2d);
            const ced_element sum = ced_add(&y, &x), difference = ced_subtract(&y, &x);
            affine[first + i] = (ced_affine){
                ced_canonical(&sum), ced_canonical(&difference), ced_canonical(&t2d), 0};
        }
    }
}

// The entries of one comb whose first tooth is `tooth`, which becomes the first of the next comb.
static void comb(ced_point *entries, int teeth, ced_point *tooth) {
    ced_point twice[ced_base_teeth];
    // All signs but the last are -1 in the first entry.
    entries[0] = ced_neutral();
    for (int i = 0; i < teeth; i++) {
        const ced_addend addend = ced_prepare(tooth);
        entries[0] = ced_sum_of(&entries[0], &addend, i < teeth - 1);
        twice[i] = ced_double(tooth);
        *tooth = twice[i];
        for (int bit = 1; bit < ced_columns; bit++) *tooth = ced_double(tooth);
    }
    for (int i = 0; i < teeth - 1; i++) {
        const ced_addend addend = ced_prepare(&twice[i]);
        for (int at = 0; at < 1 << i; at++) entries[(1 << i) + at] = ced_sum_of(&entries[at], &addend, 0);
    }
}

void ced_prepare_key(ced_key *prepared, const ced_point *key) {
    ced_point entries[ced_key_combs * ced_key_entries], tooth = *key;
    for (int i = 0; i < ced_key_combs; i++) comb(entries + i * ced_key_entries, ced_key_teeth, &tooth);
    settle(prepared->entries, entries, ced_key_combs * ced_key_entries);
}

__attribute__((constructor)) static void prepare_base(void) {
    ced_prepare_inverses();
    ced_point entries[ced_base_entries], tooth = ced_base;
    for (int i = 0; i < ced_base_combs; i++) {
        comb(entries, ced_base_teeth, &tooth);
        settle(ced_base_table + i * ced_base_entries, entries, ced_base_entries);
    }
}

// MARK: Choices

// Bits 0, 13, 26, 39 and 52 together.
static inline uint64_t five(uint64_t window) {
    const uint64_t each = 1 | 1ull << 13 | 1ull << 26 | 1ull << 39 | 1ull << 52;
    // Bit 13 i goes to place 59 + i by the factor 2^(59 - 12 i); no two other products fall on one place.
    const uint64_t factors = 1ull << 59 | 1ull << 47 | 1ull << 35 | 1ull << 23 | 1ull << 11;
    return (window & each) * factors >> 59;
}

// Of each column the signs of five strips.
static inline uint64_t signs_of(const uint64_t signs[5], int group, int column) {
    const int place = 65 * group + column, word = place / 64, bit = place % 64;
    const uint64_t above = word < 4 ? signs[word + 1] << 1 << (63 - bit) : 0;
    return five(signs[word] >> bit | above);
}

static inline uint16_t chosen(uint64_t signs, int teeth) {
    const uint64_t last = 1ull << (teeth - 1);
    return (uint16_t)(signs & last ? signs - last : (~signs & (last - 1)) | ced_negated);
}

static void choose(ced_choice *choice, const uint8_t *s, const uint8_t *k) {
    uint64_t of_key[5], of_base[5];
    ced_scalar_signs(of_key, k, 1);
    ced_scalar_signs(of_base, s, 0);
    for (int column = 0; column < ced_columns; column++) {
        for (int i = 0; i < ced_key_combs; i++) {
            const uint16_t first = (uint16_t)(i * ced_key_entries);
            choice->entry[i][column] = (uint16_t)(first + chosen(signs_of(of_key, i, column), ced_key_teeth));
        }
        for (int i = 0; i < ced_base_combs; i++) {
            const uint64_t signs = signs_of(of_base, 2 * i, column) | signs_of(of_base, 2 * i + 1, column) << 5;
            const uint16_t first = (uint16_t)(i * ced_base_entries);
            choice->entry[ced_key_combs + i][column] = (uint16_t)(first + chosen(signs, ced_base_teeth));
        }
    }
}

// MARK: Checks

static ced_point point_of(const ced_key *key, const ced_choice *choice) {
    ced_point sum = ced_neutral();
    for (int column = ced_columns - 1; column >= 0; column--) {
        if (column < ced_columns - 1) sum = ced_double(&sum);
        for (int i = 0; i < ced_combs; i++) {
            const uint16_t one = choice->entry[i][column];
            sum = ced_sum_with(&sum, ced_table(key, i) + (one & (ced_negated - 1)), (one & ced_negated) != 0);
        }
    }
    return sum;
}

// Whether the bytes are how the point is encoded.
static int is_encoded_by(const ced_point *point, const ced_element *inverse, const uint8_t *bytes) {
    ced_element x = ced_multiply(&point->x, inverse), y = ced_multiply(&point->y, inverse);
    x = ced_canonical(&x);
    y = ced_canonical(&y);
    const ced_element given = ced_from_bytes(bytes);
    uint64_t differences = (x.limb[0] & 1) ^ (bytes[31] >> 7);
    for (int i = 0; i < 5; i++) differences |= y.limb[i] ^ given.limb[i];
    return differences == 0;
}

// Whether the points differ by one of small order.
static int is_near(const ced_point *point, const ced_point *given) {
    const ced_addend addend = ced_prepare(given);
    const ced_point difference = ced_sum_of(point, &addend, 1);
    return ced_eight_times_is_neutral(&difference);
}

void ced_signatures_hold_by(ced_path path, uint8_t *holds, const ced_key *const *keys, const uint8_t *r, const uint8_t *s,
    const uint8_t *k, size_t count) {
    for (size_t first = 0; first < count; first += at_once) {
        const size_t here = count - first < at_once ? count - first : at_once;
        ced_choice choices[at_once];
        const ced_key *chosen_keys[at_once];
        ced_point points[at_once];
        ced_element inverses[at_once];
        size_t places[at_once], canonical = 0;
        for (size_t i = first; i < first + here; i++) {
            holds[i] = 0;
            if (!ced_scalar_is_canonical(s + 32 * i)) continue;
            choose(&choices[canonical], s + 32 * i, k + 32 * i);
            chosen_keys[canonical] = keys[i];
            places[canonical++] = i;
        }
#if defined(__x86_64__)
        if (path == ced_path_avx512ifma) ced_points_in_eights(points, chosen_keys, choices, canonical);
        else
#endif
            for (size_t i = 0; i < canonical; i++) points[i] = point_of(chosen_keys[i], &choices[i]);
        invert(inverses, points, canonical);
        uint8_t others[32 * at_once], valid[at_once];
        size_t other[at_once], left = 0;
        for (size_t i = 0; i < canonical; i++) {
            const uint8_t *nonce = r + 32 * places[i];
            // What honest signers make is the encoding itself, and needs no root: the equation holds then without eight.
            holds[places[i]] = (uint8_t)is_encoded_by(&points[i], &inverses[i], nonce);
            if (holds[places[i]]) continue;
            memcpy(others + 32 * left, nonce, 32);
            other[left++] = i;
        }
        // The others' roots are found together; one or two are quicker without lanes.
        ced_point given[at_once];
        ced_decode_many_by(left > 2 ? path : ced_path_scalar, given, valid, others, left);
        for (size_t i = 0; i < left; i++)
            holds[places[other[i]]] = (uint8_t)(valid[i] && is_near(&points[other[i]], &given[i]));
    }
}

void ced_signatures_hold(uint8_t *holds, const ced_key *const *keys, const uint8_t *r, const uint8_t *s, const uint8_t *k,
    size_t count) {
    ced_signatures_hold_by(ced_widest_path(), holds, keys, r, s, k, count);
}
