/* SPDX-License-Identifier: MIT
 *
 * squares.k.h - the kernel of squares: one item's sum of squares of random floats. Arithmetic only.
 */
#ifndef SQUARES_K_H
#define SQUARES_K_H
#include <benchhost/random.h>

#define SQUARES_LANES 16

typedef struct {
  uint64_t seed;
  uint64_t draws;
} squares_params;

/* A float with 24 random bits is exactly k / 2^24. Work with k and scale the sum once: a factor of 2^48 rounds nothing.
 */
#define SQUARES_SCALE (1.0 / 281474976710656.0)

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
#endif
