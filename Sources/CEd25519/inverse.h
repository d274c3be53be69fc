#ifndef CED_INVERSE_H
#define CED_INVERSE_H

#include "decode.h"

// Once, before the first inverse.
void ced_prepare_inverses(void);
// The inverse; 0 for 0.
ced_element ced_invert(const ced_element *z);

#endif
