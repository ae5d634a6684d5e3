/* SPDX-License-Identifier: MIT
 * Poison: outputs are overwritten before every sample with one 8-byte word, another each time, so that a kernel that
 * writes nothing, or results left over from an earlier run, cannot pass. */
#pragma once
#include <glib.h>

/* Every byte is >= 0x80, so that small integers, flags and positive floats never look like it. */
guint64 bh_poison_word(guint64 seed, guint64 sample);
void bh_poison_fill(void *memory, guint64 bytes, guint64 word);
/* Number of whole 8-byte words that still hold `word`: all of them, or `spots` seeded positions when spots > 0.
 * `ret_first`: byte offset of the first one found. */
guint64 bh_poison_count(const void *memory, guint64 bytes, guint64 word, guint spots, guint64 *ret_first);
