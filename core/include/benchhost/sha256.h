/* SPDX-License-Identifier: MIT
 *
 * benchhost/sha256.h - SHA-256 as FIPS 180-4 writes it down: the output of commands, keys and checksums of caches. Header
 * only, allocates nothing; one hash belongs to one thread at a time.
 */
#ifndef BENCHHOST_SHA256_H
#define BENCHHOST_SHA256_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
  uint32_t state[8];
  uint64_t length; /* bytes so far */
  uint8_t block[64];
} bh_sha256;

static inline uint32_t bh_sha256_turn(uint32_t x, int n) {
  return x >> n | x << (32 - n);
}

static inline void bh_sha256_block(bh_sha256 *hash, const uint8_t *bytes) {
  static const uint32_t k[64] = {
      0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
      0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
      0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
      0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
      0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
      0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
      0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
      0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
  uint32_t w[64], s[8];
  for (int t = 0; t < 16; t++)
    w[t] = (uint32_t)bytes[4 * t] << 24 | (uint32_t)bytes[4 * t + 1] << 16 | (uint32_t)bytes[4 * t + 2] << 8 |
           (uint32_t)bytes[4 * t + 3];
  for (int t = 16; t < 64; t++) {
    uint32_t a = w[t - 15], b = w[t - 2];
    w[t] = w[t - 16] + (bh_sha256_turn(a, 7) ^ bh_sha256_turn(a, 18) ^ a >> 3) + w[t - 7] +
           (bh_sha256_turn(b, 17) ^ bh_sha256_turn(b, 19) ^ b >> 10);
  }
  memcpy(s, hash->state, sizeof s);
  for (int t = 0; t < 64; t++) {
    uint32_t e = s[4], a = s[0];
    uint32_t one = s[7] + (bh_sha256_turn(e, 6) ^ bh_sha256_turn(e, 11) ^ bh_sha256_turn(e, 25)) +
                   ((e & s[5]) ^ (~e & s[6])) + k[t] + w[t];
    uint32_t two = (bh_sha256_turn(a, 2) ^ bh_sha256_turn(a, 13) ^ bh_sha256_turn(a, 22)) +
                   ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
    memmove(s + 1, s, 7 * sizeof *s);
    s[4] += one;
    s[0] = one + two;
  }
  for (int i = 0; i < 8; i++)
    hash->state[i] += s[i];
}

static inline void bh_sha256_init(bh_sha256 *hash) {
  static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  memcpy(hash->state, start, sizeof start);
  hash->length = 0;
}

static inline void bh_sha256_add(bh_sha256 *hash, const void *bytes, size_t length) {
  const uint8_t *from = (const uint8_t *)bytes;
  while (length > 0) {
    size_t at = hash->length % 64, n = 64 - at < length ? 64 - at : length;
    if (at == 0 && length >= 64) {
      n = 64;
      bh_sha256_block(hash, from);
    } else {
      memcpy(hash->block + at, from, n);
      if (at + n == 64)
        bh_sha256_block(hash, hash->block);
    }
    hash->length += n;
    from += n;
    length -= n;
  }
}

static inline void bh_sha256_end(bh_sha256 *hash, uint8_t ret_digest[32]) {
  uint64_t bits = hash->length * 8;
  uint8_t length[8];
  bh_sha256_add(hash, "\x80", 1);
  while (hash->length % 64 != 56)
    bh_sha256_add(hash, "", 1);
  for (int i = 0; i < 8; i++)
    length[i] = (uint8_t)(bits >> (56 - 8 * i));
  bh_sha256_add(hash, length, 8);
  for (int i = 0; i < 32; i++)
    ret_digest[i] = (uint8_t)(hash->state[i / 4] >> (24 - 8 * (i % 4)));
}

/* 64 lower-case hex digits and a 0. */
static inline void bh_sha256_text(const uint8_t digest[32], char ret_text[65]) {
  static const char digits[] = "0123456789abcdef";
  for (int i = 0; i < 32; i++) {
    ret_text[2 * i] = digits[digest[i] >> 4];
    ret_text[2 * i + 1] = digits[digest[i] & 15];
  }
  ret_text[64] = 0;
}
#endif
