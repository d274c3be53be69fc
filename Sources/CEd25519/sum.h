#ifndef CED_SUM_H
#define CED_SUM_H

#include "point.h"

#if defined(__x86_64__)
// scalars[0] points[0] + ... + [base]B in eight lanes. The processor must have AVX-512 IFMA.
ced_point ced_sum_in_eights(
    const uint8_t *scalars, const ced_point *points, size_t count, const uint8_t *base, void *scratch);
// Bytes of scratch space that it needs for so many terms.
size_t ced_eight_scratch(size_t count);
#endif

#endif
