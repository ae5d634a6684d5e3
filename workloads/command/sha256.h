/* SPDX-License-Identifier: MIT
 *
 * sha256.h - SHA-256 (FIPS 180-4), for the output of commands.
 */
#ifndef COMMAND_SHA256_H
#define COMMAND_SHA256_H
#include <stddef.h>
#include <stdint.h>

typedef struct {
  uint32_t state[8];
  uint64_t length; /* bytes so far */
  uint8_t block[64];
} sha256;

void sha256_init(sha256 *hash);
void sha256_add(sha256 *hash, const void *bytes, size_t length);
void sha256_end(sha256 *hash, uint8_t ret_digest[32]);
/* 64 lower-case hex digits and a 0. */
void sha256_text(const uint8_t digest[32], char ret_text[65]);
#endif
