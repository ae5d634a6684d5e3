/* SPDX-License-Identifier: MIT
 *
 * files.k.h - the device's part of files: the letters. An item is one number of the stream, which is eight letters, so
 * that files of any length fill the device. files-device.c launches it for a batch of files at a time.
 */
#ifndef FILES_K_H
#define FILES_K_H
#include "letters.h"

typedef struct {
  uint64_t seed, first; /* item 0 is this number of the stream */
} files_words_params;

/* One store of eight letters, the first in the lowest byte: the order of every device's memory that there is. */
BH_FN void files_words_item(uint64_t i, BH_GLOBAL uint64_t *words, files_words_params p) {
  const uint64_t r = bh_random_u64(p.seed, p.first + i);
  uint64_t word = 0;
  for (uint64_t b = 0; b < 8; b++)
    word |= files_letter(r, b) << (b * 8);
  words[i] = word;
}
BH_ITEMS_KERNEL1(files_words, files_words_item, files_words_params, uint64_t)
#endif
