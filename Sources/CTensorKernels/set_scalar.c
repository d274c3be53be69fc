#include "CTensorKernels.h"

// Whatever the compiler's target has: 128-bit vectors on x86-64 and arm64.
#define SET(name) ept_scalar_##name
#define VL 4
#define WIDE 0
#include "kernels.inc"
