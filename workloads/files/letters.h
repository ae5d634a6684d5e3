/* SPDX-License-Identifier: MIT
 *
 * letters.h - how random numbers become letters, for the host's code and for the kernel.
 */
#ifndef FILES_LETTERS_H
#define FILES_LETTERS_H
#include <benchhost/kernel.h>
#include <benchhost/random.h>

/* Letter b of the eight, 'a'..'z', that the number r gives. */
BH_FN uint64_t files_letter(uint64_t r, uint64_t b) {
  return 'a' + (((r >> (b * 8)) & 255) * 26 >> 8);
}
#endif
