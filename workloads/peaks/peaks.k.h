/* SPDX-License-Identifier: MIT
 *
 * peaks.k.h - what the kernels and the reference share, and the kernels for devices: a group of lanes for each item,
 * neighbouring lanes at neighbouring elements. The host's kernels are in vectors.h. Arithmetic only.
 */
#ifndef PEAKS_K_H
#define PEAKS_K_H
#include <benchhost/kernel.h>

/* An item of fma: 1536 bytes of lanes, a whole number of PEAKS_CHAINS vectors of 64, 32 and 16 bytes. */
#define PEAKS_DOUBLES ((uint64_t)192)
#define PEAKS_FLOATS ((uint64_t)384)
#define PEAKS_ROUNDS ((uint64_t)512)
/* x <- a x + b has its fixed point at 1, and comes nearer to it by a: after 512 rounds 61 % of the way is left, so that
 * each round shows in the result, and nothing overflows or becomes denormal. Both are exact in single precision. */
#define PEAKS_A (1023.0 / 1024.0)
#define PEAKS_B (1.0 / 1024.0)

/* A block of an array: an item of all operations on memory. */
#define PEAKS_BLOCK ((uint64_t)512) /* doubles */

typedef struct {
  uint64_t seed;
  uint64_t resident; /* doubles that reread goes over, a multiple of PEAKS_BLOCK */
  uint64_t passes;
} peaks_params;

/* Where lane `lane` of an item begins: its item's part in [2, 2.5) plus lane / 1024, all exact in single precision. No
 * two lanes of an item, and no two neighbouring items, begin alike. */
BH_FN double peaks_item_start(uint64_t seed, uint64_t item) {
  return 2.0 + (double)(int32_t)((seed + item) * 167 % 512) * (1.0 / 1024);
}
#define PEAKS_LANE_STEP (1.0 / 1024)

#define PEAKS_GROUP 64 /* lanes; divides all of the above */

#if defined(BH_ON_HOST)
static const bh_kernel_shape peaks_shape = {.by = BH_BY_GROUP, .lanes = PEAKS_GROUP};

#else

/* A lane has 3 chains of doubles, or 6 of floats: with the other groups that a processor holds, enough to hide the
 * latency of a multiply-add. */
#define PEAKS_FMA(NAME, REAL, CHAINS)                                                                                  \
  BH_FN void NAME##_group(uint64_t item, BH_LOCAL uint32_t *none, BH_GLOBAL REAL *results, peaks_params p) {           \
    const REAL a = (REAL)PEAKS_A, b = (REAL)PEAKS_B, start = (REAL)peaks_item_start(p.seed, item);                     \
    BH_UNUSED(none);                                                                                                   \
    BH_LANES(t, PEAKS_GROUP)                                                                                           \
    REAL x[CHAINS];                                                                                                    \
    for (uint32_t c = 0; c < CHAINS; c++)                                                                              \
      x[c] = start + (REAL)(int32_t)(t + c * PEAKS_GROUP) * (REAL)PEAKS_LANE_STEP;                                     \
    for (uint32_t r = 0; r < PEAKS_ROUNDS; r++)                                                                        \
      for (uint32_t c = 0; c < CHAINS; c++)                                                                            \
        x[c] = x[c] * a + b;                                                                                           \
    for (uint32_t c = 0; c < CHAINS; c++)                                                                              \
      results[(item * CHAINS + c) * PEAKS_GROUP + t] = x[c];                                                           \
    BH_SYNC                                                                                                            \
  }                                                                                                                    \
  BH_GROUPS_KERNEL1(NAME, NAME##_group, PEAKS_GROUP, uint32_t, 1, peaks_params, REAL)
PEAKS_FMA(peaks_fma_double, double, 3)
PEAKS_FMA(peaks_fma_single, float, 6)

/* A lane's part of a block's sum. Sums of whole numbers: exact in any order. */
BH_FN double peaks_lane_sum(BH_GLOBAL const double *block, uint32_t t) {
  double sum = 0;
  for (uint32_t j = 0; j < PEAKS_BLOCK; j += PEAKS_GROUP)
    sum += block[j + t];
  return sum;
}

BH_FN void peaks_read_group(uint64_t block, BH_LOCAL double *parts, BH_GLOBAL const double *a, BH_GLOBAL double *sums,
                            peaks_params p) {
  BH_UNUSED(p);
  BH_LANES(t, PEAKS_GROUP)
  parts[t] = peaks_lane_sum(a + block * PEAKS_BLOCK, t);
  BH_SYNC
  BH_GROUP_SUM(parts, PEAKS_GROUP)
  BH_LANES(t, PEAKS_GROUP)
  if (t == 0)
    sums[block] = parts[0];
  BH_SYNC
}
BH_GROUPS_KERNEL2(peaks_read, peaks_read_group, PEAKS_GROUP, double, PEAKS_GROUP, peaks_params, const double, double)

/* The same few blocks over and over: they stay in a cache. Each pass begins with another block, so that no compiler can
 * take the sum of one pass for the next one's too. */
BH_FN void peaks_reread_group(uint64_t item, BH_LOCAL double *parts, BH_GLOBAL const double *a, BH_GLOBAL double *sums,
                              peaks_params p) {
  const uint64_t blocks = p.resident / PEAKS_BLOCK;
  BH_LANES(t, PEAKS_GROUP)
  double sum = 0;
  for (uint64_t pass = 0; pass < p.passes; pass++) {
    uint64_t block = (item + pass) % blocks;
    for (uint64_t k = 0; k < blocks; k++) {
      sum += peaks_lane_sum(a + block * PEAKS_BLOCK, t);
      block = block + 1 < blocks ? block + 1 : 0;
    }
  }
  parts[t] = sum;
  BH_SYNC
  BH_GROUP_SUM(parts, PEAKS_GROUP)
  BH_LANES(t, PEAKS_GROUP)
  if (t == 0)
    sums[item] = parts[0] + (double)item;
  BH_SYNC
}
BH_GROUPS_KERNEL2(peaks_reread, peaks_reread_group, PEAKS_GROUP, double, PEAKS_GROUP, peaks_params, const double,
                  double)

BH_FN void peaks_write_group(uint64_t block, BH_LOCAL uint32_t *none, BH_GLOBAL double *c, peaks_params p) {
  const double value = (double)(block + 1);
  BH_UNUSED(none);
  BH_UNUSED(p);
  BH_LANES(t, PEAKS_GROUP)
  for (uint32_t j = 0; j < PEAKS_BLOCK; j += PEAKS_GROUP)
    c[block * PEAKS_BLOCK + j + t] = value;
  BH_SYNC
}
BH_GROUPS_KERNEL1(peaks_write, peaks_write_group, PEAKS_GROUP, uint32_t, 1, peaks_params, double)

BH_FN void peaks_copy_group(uint64_t block, BH_LOCAL uint32_t *none, BH_GLOBAL const double *a, BH_GLOBAL double *c,
                            peaks_params p) {
  BH_UNUSED(none);
  BH_UNUSED(p);
  BH_LANES(t, PEAKS_GROUP)
  double x[PEAKS_BLOCK / PEAKS_GROUP];
  for (uint32_t k = 0; k < PEAKS_BLOCK / PEAKS_GROUP; k++)
    x[k] = a[block * PEAKS_BLOCK + k * PEAKS_GROUP + t];
  for (uint32_t k = 0; k < PEAKS_BLOCK / PEAKS_GROUP; k++)
    c[block * PEAKS_BLOCK + k * PEAKS_GROUP + t] = x[k];
  BH_SYNC
}
BH_GROUPS_KERNEL2(peaks_copy, peaks_copy_group, PEAKS_GROUP, uint32_t, 1, peaks_params, const double, double)

BH_FN void peaks_triad_group(uint64_t block, BH_LOCAL uint32_t *none, BH_GLOBAL const double *a,
                             BH_GLOBAL const double *b, BH_GLOBAL double *c, peaks_params p) {
  BH_UNUSED(none);
  BH_UNUSED(p);
  BH_LANES(t, PEAKS_GROUP)
  double x[PEAKS_BLOCK / PEAKS_GROUP];
  for (uint32_t k = 0; k < PEAKS_BLOCK / PEAKS_GROUP; k++)
    x[k] = a[block * PEAKS_BLOCK + k * PEAKS_GROUP + t] + 3.0 * b[block * PEAKS_BLOCK + k * PEAKS_GROUP + t];
  for (uint32_t k = 0; k < PEAKS_BLOCK / PEAKS_GROUP; k++)
    c[block * PEAKS_BLOCK + k * PEAKS_GROUP + t] = x[k];
  BH_SYNC
}
BH_GROUPS_KERNEL3(peaks_triad, peaks_triad_group, PEAKS_GROUP, uint32_t, 1, peaks_params, const double, const double,
                  double)
#endif
#endif
