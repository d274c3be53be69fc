#include "CCRC32C.h"
#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>

bool ccrc_is_there(void) { return __builtin_cpu_supports("sse4.2"); }

__attribute__((target("sse4.2"))) uint32_t ccrc_add(uint32_t remainder, const uint8_t *bytes, size_t count) {
    uint64_t wide = remainder;
    for (; count >= 8; count -= 8, bytes += 8) {
        uint64_t word;
        memcpy(&word, bytes, sizeof word);
        wide = _mm_crc32_u64(wide, word);
    }
    remainder = (uint32_t)wide;
    for (; count > 0; count--, bytes++) remainder = _mm_crc32_u8(remainder, *bytes);
    return remainder;
}

#else

bool ccrc_is_there(void) { return false; }

uint32_t ccrc_add(uint32_t remainder, const uint8_t *bytes, size_t count) {
    (void)bytes, (void)count;
    return remainder;
}

#endif
