/* SPDX-License-Identifier: MIT
 *
 * peaks.h - what the kernels and the reference share: sizes, and the inputs by position.
 */
#ifndef PEAKS_H
#define PEAKS_H
#include <benchhost/plugin.h>
#include <benchhost/random.h>

/* An item of fma: 1536 bytes of lanes, a whole number of PEAKS_CHAINS vectors of 64, 32 and 16 bytes. */
#define PEAKS_DOUBLES UINT64_C(192)
#define PEAKS_FLOATS UINT64_C(384)
#define PEAKS_ROUNDS UINT64_C(512)
/* x <- a x + b has its fixed point at 1, and comes nearer to it by a: after 512 rounds 61 % of the way is left, so that
 * each round shows in the result, and nothing overflows or becomes denormal. Both are exact in single precision. */
#define PEAKS_A (1023.0 / 1024.0)
#define PEAKS_B (1.0 / 1024.0)

/* A block of an array: an item of all operations on memory. */
#define PEAKS_BLOCK UINT64_C(512) /* doubles */

typedef struct {
  uint64_t seed;
  uint64_t resident; /* doubles that reread goes over, a multiple of PEAKS_BLOCK */
  uint64_t passes;
} peaks_params;

/* Where lane `lane` of an item begins: its item's part in [2, 2.5) plus lane / 1024, all exact in single precision. No
 * two lanes of an item, and no two neighbouring items, begin alike. */
static inline double peaks_item_start(uint64_t seed, uint64_t item) {
  return 2.0 + (double)(int32_t)((seed + item) * 167 % 512) * (1.0 / 1024);
}
#define PEAKS_LANE_STEP (1.0 / 1024)

/* Whole numbers below 1024. `array`: 0 or 1. */
static inline double peaks_value(uint64_t seed, uint64_t array, uint64_t j) {
  return (double)(int32_t)(bh_random_u64(seed + array, j) >> 54);
}

/* cache.c: bytes of the data cache of this level of one core; of the last level, all caches that this process's CPUs
 * have together. 0: the system does not say. */
uint64_t peaks_cache_bytes(unsigned level);
uint64_t peaks_last_cache_bytes(void);
#endif
