/* SPDX-License-Identifier: MIT
 * Owns the poison pattern. */
#include "worker/poison.h"

#include <string.h>

/* Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators (2014). */
static guint64 splitmix64(guint64 x) {
  x += G_GUINT64_CONSTANT(0x9e3779b97f4a7c15);
  x = (x ^ (x >> 30)) * G_GUINT64_CONSTANT(0xbf58476d1ce4e5b9);
  x = (x ^ (x >> 27)) * G_GUINT64_CONSTANT(0x94d049bb133111eb);
  return x ^ (x >> 31);
}

guint64 bh_poison_word(guint64 seed, guint64 sample) {
  return splitmix64(splitmix64(seed) ^ sample) | G_GUINT64_CONSTANT(0x8080808080808080);
}

void bh_poison_fill(void *memory, guint64 bytes, guint64 word) {
  guint8 *p = memory;
  for (; bytes >= sizeof word; bytes -= sizeof word, p += sizeof word)
    memcpy(p, &word, sizeof word);
  memcpy(p, &word, bytes);
}

static gboolean holds(const guint8 *memory, guint64 index, guint64 word) {
  return !memcmp(memory + index * sizeof word, &word, sizeof word);
}

guint64 bh_poison_count(const void *memory, guint64 bytes, guint64 word, guint spots, guint64 *ret_first) {
  const guint64 words = bytes / sizeof word;
  guint64 found = 0;
  *ret_first = 0;
  const guint64 looks = spots && spots < words ? spots : words;
  for (guint64 i = 0; i < looks; i++) {
    /* The two ends always: that is where a schedule's mistakes are. */
    const guint64 index = looks == words ? i : i == 0 ? 0 : i == 1 ? words - 1 : splitmix64(word + i) % words;
    if (holds(memory, index, word) && found++ == 0)
      *ret_first = index * sizeof word;
  }
  return found;
}
