/* SPDX-License-Identifier: MIT
 *
 * memory.k.h - the kernel of memory: filling an array with random doubles, and the sample that proves it. Arithmetic
 * only.
 */
#ifndef MEMORY_K_H
#define MEMORY_K_H
#include <benchhost/random.h>

#define MEMORY_SAMPLES 1024

/* Doubles in [0, 1); each item has a stream of its own. */
static inline void memory_fill(double *array, uint64_t count, uint64_t stream) {
  for (uint64_t j = 0; j < count; j++)
    array[j] = bh_random_unit(stream, j);
}

/* Position k of MEMORY_SAMPLES: one in each of as many equal parts of the array, another place in each part; first and
 * last element included. */
static inline uint64_t memory_position(uint64_t count, uint64_t stream, uint64_t k) {
  uint64_t part = count / MEMORY_SAMPLES;
  if (k == 0 || k == MEMORY_SAMPLES - 1)
    return k == 0 ? 0 : count - 1;
  return part == 0 ? k * count / MEMORY_SAMPLES : k * part + bh_random_u64(~stream, k) % part;
}

/* Folds element `value` at position k into a running sample; order matters. */
static inline uint64_t memory_fold(uint64_t sample, double value, uint64_t k) {
  union {
    double value;
    uint64_t bits;
  } as = {value};
  return bh_random_mix(sample ^ (as.bits + (k + 1) * BH_RANDOM_STEP));
}
#endif
