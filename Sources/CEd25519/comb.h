// Multiples of points that are prepared for it, by combs (Lim and Lee 1994) with signed bits.
//
// A number below 2^254 that is odd is written as a sum of 260 terms +-2^i. Its 260 signs are cut into 20 strips of 13, one
// for each tooth of the combs: a key has four combs of five teeth, the base point two of ten. A comb's teeth name, for
// each of the 13 columns, one entry of its table, which holds the sums of its teeth's points with all signs. (Those whose
// last sign is -1 are the negations of the others, and are not held.) So the 13 columns share 12 doublings.
//
// L, the order of B, is added to an even number. To multiples of a key that has a part of small order this adds a point of
// small order, which the cofactored equation does not see.
#ifndef CED_COMB_H
#define CED_COMB_H

#include "point.h"

enum {
    ced_columns = 13,
    ced_strips = 20,
    ced_key_teeth = 5,
    ced_base_teeth = 10,
    ced_key_combs = CED_KEY_COMBS,
    ced_base_combs = 2,
    ced_key_entries = CED_KEY_ENTRIES,
    ced_base_entries = 1 << (ced_base_teeth - 1),
    ced_combs = ced_key_combs + ced_base_combs,
};
_Static_assert(ced_key_combs * ced_key_teeth == ced_strips && ced_base_combs * ced_base_teeth == ced_strips, "");
_Static_assert(ced_key_entries == 1 << (ced_key_teeth - 1), "");

// Which entries make up [s]B - [k]A (and a point of small order): of each comb, the key's first, one for each column.
typedef struct { uint16_t entry[ced_combs][ced_columns]; } ced_choice;
enum { ced_negated = 1 << 15 }; // beside the entry's place in the table of the key or of B: its negation

extern ced_affine ced_base_table[ced_base_combs * ced_base_entries];

static inline const ced_affine *ced_table(const ced_key *key, int comb) {
    return comb < ced_key_combs ? key->entries : ced_base_table;
}

// The signs of an odd number that is `scalar`, or its negation, modulo L: bit i is 1 for +2^i. The scalar is below L.
void ced_scalar_signs(uint64_t signs[5], const uint8_t *scalar, int negated);

#if defined(__x86_64__)
// points[i] = [s]B - [k]A of the choices and keys. The processor must have AVX-512 IFMA.
void ced_points_in_eights(ced_point *points, const ced_key *const *keys, const ced_choice *choices, size_t count);
#endif

#endif
