#include "CTensorKernels.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512dq,avx512bw"))), apply_to = function)
#define SET(name) ept_avx512_##name
#define VL 16
#define WIDE 1
#include "kernels.inc"
#pragma clang attribute pop
#endif
