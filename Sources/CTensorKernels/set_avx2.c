#include "CTensorKernels.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#define SET(name) ept_avx2_##name
#define VL 8
#define WIDE 0
#include "kernels.inc"
#pragma clang attribute pop
#endif
