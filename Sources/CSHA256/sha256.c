// FIPS 180-4, sections 4.1.2, 4.2.2, 5.1.1, 5.3.3 and 6.2.
#include "CSHA256.h"
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define HAS_X86 1
#else
#define HAS_X86 0
#endif

enum { block = 64 };

// The first 32 bits of the fractional parts of the square roots of the first 8 primes.
static const uint32_t first_state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

// The same of the cube roots of the first 64.
static const uint32_t constants[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

// MARK: Any processor

static uint32_t rotated(uint32_t x, int by) { return x >> by | x << (32 - by); }

static uint32_t big_endian(const uint8_t *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | (uint32_t)bytes[3];
}

static void mix_portable(uint32_t state[8], const uint8_t *bytes, size_t blocks) {
    for (; blocks > 0; blocks--, bytes += block) {
        uint32_t w[64];
        for (int t = 0; t < 16; t++) w[t] = big_endian(bytes + 4 * t);
        for (int t = 16; t < 64; t++) {
            const uint32_t early = rotated(w[t - 15], 7) ^ rotated(w[t - 15], 18) ^ w[t - 15] >> 3;
            const uint32_t late = rotated(w[t - 2], 17) ^ rotated(w[t - 2], 19) ^ w[t - 2] >> 10;
            w[t] = late + w[t - 7] + early + w[t - 16];
        }
        uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
        uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
        // Eight rounds bring the letters back to their places.
#pragma clang loop unroll_count(8)
        for (int t = 0; t < 64; t++) {
            const uint32_t choice = (e & f) ^ (~e & g), majority = (a & b) ^ (a & c) ^ (b & c);
            const uint32_t t1 = h + (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) + choice + constants[t] + w[t];
            const uint32_t t2 = (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) + majority;
            h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
        }
        state[0] += a, state[1] += b, state[2] += c, state[3] += d;
        state[4] += e, state[5] += f, state[6] += g, state[7] += h;
    }
}

// MARK: x86-64 with SHA extensions

#if HAS_X86
// Four rounds at a time. The instructions want the state as (f, e, b, a) and (h, g, d, c), lowest first, and give two
// rounds each: the new a, b, e, f, while the ones before become c, d, g, h.
__attribute__((target("sha,sse4.1,ssse3"))) static void mix_x86(uint32_t state[8], const uint8_t *bytes, size_t blocks) {
    const __m128i swap = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
    const __m128i badc = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xB1);
    const __m128i hgfe = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1B);
    __m128i feba = _mm_alignr_epi8(badc, hgfe, 8), hgdc = _mm_blend_epi16(hgfe, badc, 0xF0);
    for (; blocks > 0; blocks--, bytes += block) {
        const __m128i feba_before = feba, hgdc_before = hgdc;
        __m128i w[16];
#pragma clang loop unroll(full)
        for (int i = 0; i < 16; i++) {
            if (i < 4) {
                w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(bytes + 16 * i)), swap);
            } else {
                const __m128i sevens = _mm_alignr_epi8(w[i - 1], w[i - 2], 4);
                w[i] = _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(w[i - 4], w[i - 3]), sevens), w[i - 1]);
            }
            const __m128i words = _mm_add_epi32(w[i], _mm_load_si128((const __m128i *)(constants + 4 * i)));
            hgdc = _mm_sha256rnds2_epu32(hgdc, feba, words);
            feba = _mm_sha256rnds2_epu32(feba, hgdc, _mm_shuffle_epi32(words, 0x0E));
        }
        feba = _mm_add_epi32(feba, feba_before);
        hgdc = _mm_add_epi32(hgdc, hgdc_before);
    }
    const __m128i abef = _mm_shuffle_epi32(feba, 0x1B), ghcd = _mm_shuffle_epi32(hgdc, 0xB1);
    _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(abef, ghcd, 0xF0));
    _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(ghcd, abef, 8));
}
#endif

// MARK: Messages

static csha_path widest = csha_path_portable;

__attribute__((constructor)) static void find_widest(void) {
#if HAS_X86
    __builtin_cpu_init();
    if (__builtin_cpu_supports("sse4.1") && __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("sha")) {
        widest = csha_path_x86;
    }
#endif
}

csha_path csha_widest_path(void) { return widest; }

static void mix(csha_path path, uint32_t state[8], const uint8_t *bytes, size_t blocks) {
#if HAS_X86
    if (path == csha_path_x86) return mix_x86(state, bytes, blocks);
#endif
    (void)path;
    mix_portable(state, bytes, blocks);
}

void csha_begin(csha_hasher *hasher) {
    memcpy(hasher->state, first_state, sizeof first_state);
    hasher->length = 0;
}

static void update(csha_path path, csha_hasher *hasher, const uint8_t *bytes, size_t count) {
    const size_t held = (size_t)(hasher->length % block);
    hasher->length += count;
    if (held > 0) {
        const size_t room = block - held, taken = count < room ? count : room;
        if (taken > 0) memcpy(hasher->buffer + held, bytes, taken);
        if (taken < room) return;
        mix(path, hasher->state, hasher->buffer, 1);
        bytes += taken;
        count -= taken;
    }
    const size_t whole = count / block;
    if (whole > 0) mix(path, hasher->state, bytes, whole);
    const size_t rest = count % block;
    if (rest > 0) memcpy(hasher->buffer, bytes + whole * block, rest);
}

void csha_update(csha_hasher *hasher, const void *bytes, size_t count) { update(widest, hasher, bytes, count); }

static void finish(csha_path path, const csha_hasher *hasher, uint8_t *digest) {
    uint32_t state[8];
    memcpy(state, hasher->state, sizeof state);
    const size_t held = (size_t)(hasher->length % block);
    // What is left, a bit that is set, zeros, and the number of bits as the last 64.
    uint8_t last[2 * block] = {0};
    memcpy(last, hasher->buffer, held);
    last[held] = 0x80;
    const size_t blocks = held + 9 <= block ? 1 : 2;
    const uint64_t bits = hasher->length * 8;
    for (int i = 0; i < 8; i++) last[blocks * block - 1 - (size_t)i] = (uint8_t)(bits >> (8 * i));
    mix(path, state, last, blocks);
    for (int i = 0; i < 8; i++) {
        for (int j = 0; j < 4; j++) digest[4 * i + j] = (uint8_t)(state[i] >> (24 - 8 * j));
    }
}

void csha_finish(const csha_hasher *hasher, uint8_t *digest) { finish(widest, hasher, digest); }

void csha_digest_by(csha_path path, const void *bytes, size_t count, uint8_t *digest) {
    csha_hasher hasher;
    csha_begin(&hasher);
    update(path, &hasher, bytes, count);
    finish(path, &hasher, digest);
}
