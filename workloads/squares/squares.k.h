/* SPDX-License-Identifier: MIT
 *
 * squares.k.h - the kernel of squares: one item's sum of squares of random floats. On the host sixteen sums at once,
 * which compilers make vectors of; on a device a group of lanes for each item. Arithmetic only.
 */
#ifndef SQUARES_K_H
#define SQUARES_K_H
#include <benchhost/kernel.h>
#include <benchhost/random.h>

typedef struct {
  uint64_t seed;
  uint64_t draws;
} squares_params;

/* A float with 24 random bits is exactly k / 2^24. Work with k and scale the sum once: a factor of 2^48 rounds nothing.
 */
#define SQUARES_SCALE (1.0 / 281474976710656.0)

/* Lanes that work on one item, on a device. */
#define SQUARES_GROUP 64

#if defined(BH_ON_HOST)
#define SQUARES_LANES 16

/* Pairs of draws summed in float before they go to the item's double: floats would lose what is far below a large sum,
 * and stand still in the end. */
#define SQUARES_BLOCK 1024

/* Two draws from each 64-bit number. Lanes are independent sums, so that compilers can use vectors without changing the
 * result. */
static inline __attribute__((always_inline)) float squares_block(uint64_t seed, uint64_t first, uint64_t pairs) {
  uint64_t j = 0;
  float sums[SQUARES_LANES] = {0}, sum = 0;
  for (; j + SQUARES_LANES <= pairs; j += SQUARES_LANES)
    for (uint64_t lane = 0; lane < SQUARES_LANES; lane++) {
      uint64_t r = bh_random_u64(seed, first + j + lane);
      float a = (float)(int32_t)(r >> 40), b = (float)(int32_t)(uint32_t)((r >> 8) & 0xFFFFFF);
      sums[lane] += a * a + b * b;
    }
  for (; j < pairs; j++) {
    uint64_t r = bh_random_u64(seed, first + j);
    float a = (float)(int32_t)(r >> 40), b = (float)(int32_t)(uint32_t)((r >> 8) & 0xFFFFFF);
    sum += a * a + b * b;
  }
  for (uint64_t half = SQUARES_LANES / 2; half; half /= 2)
    for (uint64_t lane = 0; lane < half; lane++)
      sums[lane] += sums[lane + half];
  return sum + sums[0];
}

/* Items have disjoint ranges of one stream, so any split gives the same numbers. */
static inline __attribute__((always_inline)) float squares_item(uint64_t item, uint64_t seed, uint64_t draws) {
  uint64_t pairs = draws / 2, first = item * ((draws + 1) / 2);
  double sum = 0;
  for (uint64_t j = 0; j < pairs; j += SQUARES_BLOCK)
    sum += (double)squares_block(seed, first + j, pairs - j < SQUARES_BLOCK ? pairs - j : SQUARES_BLOCK);
  if (draws % 2) {
    double a = (double)(int32_t)(bh_random_u64(seed, first + pairs) >> 40);
    sum += a * a;
  }
  return (float)(sum * SQUARES_SCALE);
}
static const bh_kernel_shape squares_shape = {.by = BH_BY_GROUP, .lanes = SQUARES_GROUP};

#else

/* Draws that one lane sums in float before they go to its double: no more roundings in a row than the host has. */
#define SQUARES_LANE_PAIRS 64

/* Every SQUARES_GROUP-th pair of an item, from `lane` on. */
BH_FN double squares_lane(uint64_t seed, uint64_t first, uint64_t pairs, uint32_t lane) {
  const uint64_t n = pairs > lane ? (pairs - lane + SQUARES_GROUP - 1) / SQUARES_GROUP : 0;
  double sum = 0;
  for (uint64_t done = 0; done < n; done += SQUARES_LANE_PAIRS) {
    const uint32_t count = (uint32_t)(n - done < SQUARES_LANE_PAIRS ? n - done : SQUARES_LANE_PAIRS);
    const uint64_t at = first + lane + done * SQUARES_GROUP;
    float block = 0;
    for (uint32_t k = 0; k < count; k++) {
      const uint64_t r = bh_random_u64(seed, at + k * SQUARES_GROUP);
      const float a = (float)(int32_t)(r >> 40), b = (float)(int32_t)(uint32_t)((r >> 8) & 0xFFFFFF);
      block += a * a + b * b;
    }
    sum += (double)block;
  }
  return sum;
}

BH_FN void squares_group(uint64_t item, BH_LOCAL double *parts, BH_GLOBAL float *sums, BH_GLOBAL double *total,
                         squares_params p) {
  const uint64_t pairs = p.draws / 2, first = item * ((p.draws + 1) / 2);
  BH_LANES(t, SQUARES_GROUP)
  parts[t] = squares_lane(p.seed, first, pairs, t);
  BH_SYNC
  BH_GROUP_SUM(parts, SQUARES_GROUP)
  BH_LANES(t, SQUARES_GROUP)
  if (t == 0) {
    const double last = p.draws % 2 ? (double)(int32_t)(bh_random_u64(p.seed, first + pairs) >> 40) : 0;
    const float sum = (float)((parts[0] + last * last) * SQUARES_SCALE);
    sums[item] = sum;
    *total += (double)sum; /* this group's own part */
  }
  BH_SYNC
}
BH_GROUPS_KERNEL2(squares, squares_group, SQUARES_GROUP, double, SQUARES_GROUP, squares_params, float, double)
#endif
#endif
