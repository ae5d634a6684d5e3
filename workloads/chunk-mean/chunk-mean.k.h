/* SPDX-License-Identifier: MIT
 *
 * chunk-mean.k.h - the kernel of chunk-mean: where a chunk lies, and its mean: on the host in two ways, on a device by
 * a group of lanes. Arithmetic only.
 */
#ifndef CHUNK_MEAN_K_H
#define CHUNK_MEAN_K_H
#include <benchhost/kernel.h>

typedef struct {
  uint64_t elements, chunks;
} chunk_mean_params;

/* The first element of chunk c; of chunk `chunks`: the end. The first elements % chunks chunks are one longer. */
BH_FN uint64_t chunk_mean_start(const chunk_mean_params *p, uint64_t c) {
  uint64_t rest = p->elements % p->chunks;
  return c * (p->elements / p->chunks) + (c < rest ? c : rest);
}

/* Lanes that work on one chunk, on a device. */
#define CHUNK_MEAN_GROUP 256

#if defined(BH_ON_HOST)
/* One addition after the other, each waiting for the one before: what a plain loop compiles to. */
static inline double chunk_mean_plain(const double *values, uint64_t n) {
  double sum = 0;
  for (uint64_t j = 0; j < n; j++)
    sum += values[j];
  return sum / (double)n;
}

typedef double chunk_mean_lanes __attribute__((vector_size(32), aligned(8), may_alias));

/* Sixteen sums at once, in four vectors: enough to hide the latency of an addition. Always inlined, so that it is
 * compiled with the instruction set of its caller. */
static inline __attribute__((always_inline)) double chunk_mean_vector(const double *values, uint64_t n) {
  chunk_mean_lanes a = {0}, b = {0}, c = {0}, d = {0};
  double sum;
  uint64_t j = 0;
  for (; j + 16 <= n; j += 16) {
    a += *(const chunk_mean_lanes *)(values + j);
    b += *(const chunk_mean_lanes *)(values + j + 4);
    c += *(const chunk_mean_lanes *)(values + j + 8);
    d += *(const chunk_mean_lanes *)(values + j + 12);
  }
  a = (a + b) + (c + d);
  sum = (a[0] + a[1]) + (a[2] + a[3]);
  for (; j < n; j++)
    sum += values[j];
  return sum / (double)n;
}

static const bh_kernel_shape chunk_mean_shape = {.by = BH_BY_GROUP, .lanes = CHUNK_MEAN_GROUP};

#else

/* Neighbouring lanes read neighbouring elements; four sums at once keep four reads under way. */
BH_FN double chunk_mean_lane(BH_GLOBAL const double *values, uint64_t n, uint32_t lane) {
  double a = 0, b = 0, c = 0, d = 0;
  uint64_t j = lane;
  for (; j + 3 * CHUNK_MEAN_GROUP < n; j += 4 * CHUNK_MEAN_GROUP) {
    a += values[j];
    b += values[j + CHUNK_MEAN_GROUP];
    c += values[j + 2 * CHUNK_MEAN_GROUP];
    d += values[j + 3 * CHUNK_MEAN_GROUP];
  }
  for (; j < n; j += CHUNK_MEAN_GROUP)
    a += values[j];
  return (a + b) + (c + d);
}

BH_FN void chunk_mean_group(uint64_t chunk, BH_LOCAL double *sums, BH_GLOBAL const double *values,
                            BH_GLOBAL double *means, chunk_mean_params p) {
  const uint64_t start = chunk_mean_start(&p, chunk), n = chunk_mean_start(&p, chunk + 1) - start;
  BH_LANES(t, CHUNK_MEAN_GROUP)
  sums[t] = chunk_mean_lane(values + start, n, t);
  BH_SYNC
  BH_GROUP_SUM(sums, CHUNK_MEAN_GROUP)
  BH_LANES(t, CHUNK_MEAN_GROUP)
  if (t == 0)
    means[chunk] = sums[0] / (double)n;
  BH_SYNC
}
BH_GROUPS_KERNEL2(chunk_mean, chunk_mean_group, CHUNK_MEAN_GROUP, double, CHUNK_MEAN_GROUP, chunk_mean_params,
                  const double, double)
#endif
#endif
