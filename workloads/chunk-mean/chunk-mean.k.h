/* SPDX-License-Identifier: MIT
 *
 * chunk-mean.k.h - the kernels of chunk-mean: where a chunk lies, and its mean in two ways. Arithmetic only.
 */
#ifndef CHUNK_MEAN_K_H
#define CHUNK_MEAN_K_H
#include <stdint.h>

typedef struct {
  uint64_t elements, chunks;
} chunk_mean_params;

/* The first element of chunk c; of chunk `chunks`: the end. The first elements % chunks chunks are one longer. */
static inline uint64_t chunk_mean_start(const chunk_mean_params *p, uint64_t c) {
  uint64_t rest = p->elements % p->chunks;
  return c * (p->elements / p->chunks) + (c < rest ? c : rest);
}

/* One addition after the other, each waiting for the one before: what a plain loop compiles to. */
static inline double chunk_mean_plain(const double *values, uint64_t n) {
  double sum = 0;
  for (uint64_t j = 0; j < n; j++)
    sum += values[j];
  return sum / (double)n;
}

#if defined(__GNUC__) && !defined(__CUDACC__) && !defined(__OPENCL_C_VERSION__)
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
#endif
#endif
