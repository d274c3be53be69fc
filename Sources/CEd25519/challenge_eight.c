// Challenges of eight signatures at once: SHA-512 (FIPS 180-4) by AVX-512, a message in each lane.
#include "eight.h"

#if defined(__x86_64__)

enum { lanes = 8, words = 16, block_bytes = 128, rounds = 80, length_bytes = 16 };

static const uint64_t constants[rounds] = {
    0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc,
    0x3956c25bf348b538, 0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118,
    0xd807aa98a3030242, 0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2,
    0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235, 0xc19bf174cf692694,
    0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
    0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5,
    0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4,
    0xc6e00bf33da88fc2, 0xd5a79147930aa725, 0x06ca6351e003826f, 0x142929670a0e6e70,
    0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df,
    0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
    0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30,
    0xd192e819d6ef5218, 0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8,
    0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8,
    0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3,
    0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
    0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b,
    0xca273eceea26619c, 0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178,
    0x06f067aa72176fba, 0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b,
    0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc, 0x431d67c49c100d4c,
    0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
};
static const uint64_t start[8] = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};

// R || A || message, as the blocks that SHA-512 takes.
typedef struct { const uint8_t *r, *key, *message; size_t count; } hashed;

static size_t blocks_of(const hashed *h) { return (64 + h->count + 1 + length_bytes + block_bytes - 1) / block_bytes; }

static void copy_block(uint8_t block[block_bytes], const hashed *h, size_t index) {
    memset(block, 0, block_bytes);
    size_t at = 0, from = 0;
    if (index == 0) {
        memcpy(block, h->r, 32);
        memcpy(block + 32, h->key, 32);
        at = 64;
    } else {
        from = index * block_bytes - 64;
    }
    if (from < h->count) {
        const size_t left = h->count - from, room = block_bytes - at, here = left < room ? left : room;
        memcpy(block + at, h->message + from, here);
        at += here;
        from += here;
    }
    // The end of the message, a bit behind it, unless the block before has it, and in the last block the length in bits.
    const size_t place = 64 + h->count;
    if (place / block_bytes == index) block[place % block_bytes] = 0x80;
    if (index + 1 == blocks_of(h)) {
        const uint64_t bits = 8 * (uint64_t)place;
        for (int i = 0; i < 8; i++) block[block_bytes - 1 - i] = (uint8_t)(bits >> (8 * i));
    }
}

IFMA static inline __m512i swapped(__m512i x) {
    const __m512i even = _mm512_set1_epi32(0x00ff00ff);
    const __m512i left = _mm512_rol_epi32(x, 8), right = _mm512_ror_epi32(x, 8);
    // Bits of `left` where `even` has ones.
    return _mm512_ror_epi64(_mm512_ternarylogic_epi64(even, left, right, 0xca), 32);
}

IFMA static inline __m512i xor3(__m512i a, __m512i b, __m512i c) { return _mm512_ternarylogic_epi64(a, b, c, 0x96); }

IFMA static void compress(__m512i state[8], const __m512i input[words], __mmask8 active) {
    __m512i w[words], s[8];
    for (int i = 0; i < words; i++) w[i] = input[i];
    for (int i = 0; i < 8; i++) s[i] = state[i];
    for (int first = 0; first < rounds; first += words) {
#pragma clang loop unroll(full)
        for (int i = 0; i < words; i++) {
            const __m512i a = s[0], b = s[1], c = s[2], e = s[4], f = s[5], g = s[6];
            const __m512i sum1 = xor3(_mm512_ror_epi64(e, 14), _mm512_ror_epi64(e, 18), _mm512_ror_epi64(e, 41));
            const __m512i choice = _mm512_ternarylogic_epi64(e, f, g, 0xca);
            const __m512i k = _mm512_set1_epi64((long long)constants[first + i]);
            const __m512i one = _mm512_add_epi64(
                _mm512_add_epi64(_mm512_add_epi64(s[7], sum1), choice), _mm512_add_epi64(k, w[i]));
            const __m512i sum0 = xor3(_mm512_ror_epi64(a, 28), _mm512_ror_epi64(a, 34), _mm512_ror_epi64(a, 39));
            const __m512i majority = _mm512_ternarylogic_epi64(a, b, c, 0xe8);
            s[7] = g;
            s[6] = f;
            s[5] = e;
            s[4] = _mm512_add_epi64(s[3], one);
            s[3] = c;
            s[2] = b;
            s[1] = a;
            s[0] = _mm512_add_epi64(one, _mm512_add_epi64(sum0, majority));
        }
        if (first + words == rounds) break;
#pragma clang loop unroll(full)
        for (int i = 0; i < words; i++) {
            const __m512i x = w[(i + 1) % words], y = w[(i + 14) % words];
            const __m512i small0 = xor3(_mm512_ror_epi64(x, 1), _mm512_ror_epi64(x, 8), _mm512_srli_epi64(x, 7));
            const __m512i small1 = xor3(_mm512_ror_epi64(y, 19), _mm512_ror_epi64(y, 61), _mm512_srli_epi64(y, 6));
            w[i] = _mm512_add_epi64(_mm512_add_epi64(w[i], small0), _mm512_add_epi64(w[(i + 9) % words], small1));
        }
    }
    for (int i = 0; i < 8; i++) state[i] = _mm512_mask_add_epi64(state[i], active, state[i], s[i]);
}

IFMA static void up_to_eight(uint8_t *challenges, const hashed all[lanes], size_t count) {
    size_t blocks[lanes] = {0}, most = 0;
    for (size_t i = 0; i < count; i++) {
        blocks[i] = blocks_of(&all[i]);
        if (blocks[i] > most) most = blocks[i];
    }
    __m512i state[8];
    for (int i = 0; i < 8; i++) state[i] = _mm512_set1_epi64((long long)start[i]);
    for (size_t index = 0; index < most; index++) {
        uint8_t bytes[lanes][block_bytes];
        __mmask8 active = 0;
        for (size_t i = 0; i < lanes; i++) {
            if (index < blocks[i]) {
                copy_block(bytes[i], &all[i], index);
                active |= (__mmask8)(1 << i);
            } else {
                memset(bytes[i], 0, block_bytes);
            }
        }
        // Word i of each lane's block.
        __m512i input[words];
        for (int half = 0; half < 2; half++) {
            for (int lane = 0; lane < lanes; lane++)
                input[8 * half + lane] = swapped(_mm512_loadu_si512(bytes[lane] + 64 * half));
            eight_transpose(input + 8 * half);
        }
        compress(state, input, active);
    }
    uint64_t digests[8][lanes];
    for (int i = 0; i < 8; i++) _mm512_storeu_si512(digests[i], swapped(state[i]));
    for (size_t lane = 0; lane < count; lane++) {
        uint64_t digest[8];
        for (int i = 0; i < 8; i++) digest[i] = digests[i][lane];
        ced_scalar_reduce(challenges + 32 * lane, (const uint8_t *)digest);
    }
}

void ced_challenges_in_eights(uint8_t *challenges, const uint8_t *r, const uint8_t *keys, const uint8_t *messages,
    const size_t *ends, size_t count) {
    for (size_t first = 0; first < count; first += lanes) {
        const size_t here = count - first < lanes ? count - first : lanes;
        hashed all[lanes];
        for (size_t i = first; i < first + here; i++) {
            const size_t begin = i == 0 ? 0 : ends[i - 1];
            all[i - first] = (hashed){r + 32 * i, keys + 32 * i, messages + begin, ends[i] - begin};
        }
        up_to_eight(challenges + 32 * first, all, here);
    }
}
#else
void ced_challenges_in_eights(uint8_t *challenges, const uint8_t *r, const uint8_t *keys, const uint8_t *messages,
    const size_t *ends, size_t count) {
    (void)challenges, (void)r, (void)keys, (void)messages, (void)ends, (void)count;
    __builtin_trap();
}
#endif
