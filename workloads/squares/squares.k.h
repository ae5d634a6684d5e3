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
#define SQUARES_SCALE (1.0f / 281474976710656.0f)

/* Two draws from each 64-bit number; items have disjoint ranges of one stream, so any split gives the same numbers.
 * Lanes are independent sums, so that compilers can use vectors without changing the result. */
static inline __attribute__((always_inline)) float squares_item(uint64_t item, uint64_t seed, uint64_t draws) {
  uint64_t pairs = draws / 2, j = 0, first = item * ((draws + 1) / 2);
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
  if (draws % 2) {
    float a = (float)(int32_t)(bh_random_u64(seed, first + pairs) >> 40);
    sum += a * a;
  }
  for (uint64_t half = SQUARES_LANES / 2; half; half /= 2)
    for (uint64_t lane = 0; lane < half; lane++)
      sums[lane] += sums[lane + half];
  return (sum + sums[0]) * SQUARES_SCALE;
}
#endif
