// zlib, for the gzip form in which MNIST is published. Debian: zlib1g-dev.
#ifndef EDGEPROOF_CZLIB_SHIM_H
#define EDGEPROOF_CZLIB_SHIM_H
#include <zlib.h>
#endif
