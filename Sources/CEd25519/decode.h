#ifndef CED_DECODE_H
#define CED_DECODE_H

#include "point.h"

// z^((p-5)/8) = z^(2^252 - 3)
ced_element ced_power(const ced_element *z);

#if defined(__x86_64__)
// Each element to the power 2^252 - 3, in place. The processor must have the instructions.
void ced_power_of_four(ced_element elements[4]);
void ced_power_of_eight(ced_element elements[8]);
#endif

#endif
