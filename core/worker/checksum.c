/* SPDX-License-Identifier: MIT
 * Owns the checksum of inputs. Four independent chains, so that it runs at the speed of memory: inputs may be
 * gigabytes. */
#include "worker/checksum.h"

#include <string.h>

enum { LANES = 4 };
/* Odd, so that multiplying by it loses nothing: any change of one word changes its chain. */
#define FACTOR G_GUINT64_CONSTANT(0x9e3779b97f4a7c15)

static guint64 mix(guint64 chain, guint64 word) {
  chain = (chain ^ word) * FACTOR;
  return chain ^ (chain >> 29);
}

guint64 bh_checksum(const void *memory, guint64 bytes) {
  const guint8 *p = memory;
  guint64 chain[LANES] = {bytes, 1, 2, 3};
  guint64 words[LANES];
  for (; bytes >= sizeof words; bytes -= sizeof words, p += sizeof words) {
    memcpy(words, p, sizeof words);
    for (guint i = 0; i < LANES; i++)
      chain[i] = mix(chain[i], words[i]);
  }
  memset(words, 0, sizeof words);
  if (bytes)
    memcpy(words, p, bytes);
  guint64 all = 0;
  for (guint i = 0; i < LANES; i++)
    all = mix(all, mix(chain[i], words[i]));
  return all;
}
