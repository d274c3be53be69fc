// LevelDB, the key-value store under a node's home. Debian: libleveldb-dev.
#ifndef EDGEPROOF_CLEVELDB_SHIM_H
#define EDGEPROOF_CLEVELDB_SHIM_H
#include <leveldb/c.h>
#endif
