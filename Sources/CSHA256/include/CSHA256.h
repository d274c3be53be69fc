// # CSHA256
//
// SHA-256 (FIPS 180-4) for the many short hashes of trees and identifiers: a hasher is a value, which no call allocates.
//
// The module promises
// - the digest of all bytes that were given, whatever the pieces in which they came;
// - time that depends on the number of bytes alone: it has neither branches nor tables that depend on their values;
// - the processor's own instructions where it has them (x86-64 with SHA extensions), and the same result without.
#ifndef CSHA256_H
#define CSHA256_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint32_t state[8];
    uint64_t length;   // bytes so far
    uint8_t buffer[64]; // of these, the ones after the last whole block
} csha_hasher;

// Starts a hash.
void csha_begin(csha_hasher *hasher);
void csha_update(csha_hasher *hasher, const void *bytes, size_t count);
// The digest of what was given so far, 32 bytes. The hasher can go on.
void csha_finish(const csha_hasher *hasher, uint8_t *digest);

// How blocks are mixed in: the widest that the processor has, unless a test chooses.
typedef enum { csha_path_portable, csha_path_x86 } csha_path;
csha_path csha_widest_path(void);
// The digest of a whole message by a given path, which the processor must have.
void csha_digest_by(csha_path path, const void *bytes, size_t count, uint8_t *digest);

#endif
