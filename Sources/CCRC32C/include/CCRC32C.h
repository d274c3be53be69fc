// CRC-32C by the processor's own instruction.
#ifndef EDGEPROOF_CCRC32C_H
#define EDGEPROOF_CCRC32C_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Whether this processor has it.
bool ccrc_is_there(void);

// The remainder with the bytes behind those that made `remainder`. Only where the instruction is there.
uint32_t ccrc_add(uint32_t remainder, const uint8_t *bytes, size_t count);

#endif
