/* SPDX-License-Identifier: MIT
 *
 * vectors.h - the host's kernels of peaks for one width of vector. Arithmetic only. Included once for each width, with
 * PEAKS(name) giving names of their own, PEAKS_WIDTH the vector's bytes and PEAKS_TARGET the attributes of functions.
 */

typedef double PEAKS(d) __attribute__((vector_size(PEAKS_WIDTH), aligned(8), may_alias));
typedef float PEAKS(f) __attribute__((vector_size(PEAKS_WIDTH), aligned(4), may_alias));

/* Chains at once: more than latency x throughput of a fused multiply-add (4 cycles x 2), fewer than there are
 * registers. */
#define PEAKS_CHAINS 12

/* x <- a x + b, PEAKS_ROUNDS times, on every lane of an item: its lanes are worked on PEAKS_CHAINS vectors at a time.
 */
#define PEAKS_FMA(NAME, REAL, VECTOR, LANES)                                                                           \
  PEAKS_TARGET static void PEAKS(NAME)(const bh_args *args, uint64_t begin, uint64_t end) {                            \
    const peaks_params *p = args->params;                                                                              \
    REAL *out = args->region[0];                                                                                       \
    enum { N = PEAKS_WIDTH / sizeof(REAL), PER_BLOCK = PEAKS_CHAINS * N };                                             \
    VECTOR steps = {0};                                                                                                \
    for (int k = 0; k < N; k++)                                                                                        \
      steps[k] = (REAL)k * (REAL)PEAKS_LANE_STEP;                                                                      \
    for (uint64_t i = begin; i < end; i++) {                                                                           \
      const REAL start = (REAL)peaks_item_start(p->seed, i);                                                           \
      for (uint64_t first = 0; first < LANES; first += PER_BLOCK) {                                                    \
        VECTOR x[PEAKS_CHAINS];                                                                                        \
        for (int c = 0; c < PEAKS_CHAINS; c++)                                                                         \
          x[c] = steps + (start + (REAL)(int32_t)(first + (uint64_t)(c * N)) * (REAL)PEAKS_LANE_STEP);                 \
        for (uint64_t r = 0; r < PEAKS_ROUNDS; r++)                                                                    \
          for (int c = 0; c < PEAKS_CHAINS; c++)                                                                       \
            x[c] = x[c] * (REAL)PEAKS_A + (REAL)PEAKS_B;                                                               \
        for (int c = 0; c < PEAKS_CHAINS; c++)                                                                         \
          *(VECTOR *)(out + i * LANES + first + (uint64_t)(c * N)) = x[c];                                             \
      }                                                                                                                \
    }                                                                                                                  \
  }
PEAKS_FMA(fma_double, double, PEAKS(d), PEAKS_DOUBLES)
PEAKS_FMA(fma_single, float, PEAKS(f), PEAKS_FLOATS)
#undef PEAKS_FMA

/* Sums of whole numbers, exact in any order: eight vectors of sums at once, in the end added as a tree, because one
 * after the other would take as long as reading a first-level cache. `n` is a multiple of PEAKS_BLOCK doubles. */
PEAKS_TARGET static inline __attribute__((always_inline)) double PEAKS(sum)(const double *values, uint64_t n) {
  enum { N = PEAKS_WIDTH / sizeof(double) };
  PEAKS(d) sums[8] = {{0}};
  double sum = 0;
  for (uint64_t j = 0; j < n; j += 8 * N)
    for (int c = 0; c < 8; c++)
      sums[c] += *(const PEAKS(d) *)(values + j + (uint64_t)(c * N));
  for (int c = 0; c < 4; c++)
    sums[c] += sums[c + 4];
  for (int c = 0; c < 2; c++)
    sums[c] += sums[c + 2];
  sums[0] += sums[1];
  for (int k = 0; k < N; k++)
    sum += sums[0][k];
  return sum;
}

PEAKS_TARGET static void PEAKS(read)(const bh_args *args, uint64_t begin, uint64_t end) {
  const double *a = args->region[0];
  double *sums = args->region[1];
  for (uint64_t i = begin; i < end; i++)
    sums[i] = PEAKS(sum)(a + i * PEAKS_BLOCK, PEAKS_BLOCK);
}

/* The same few blocks over and over: they stay in a cache. */
PEAKS_TARGET static void PEAKS(reread)(const bh_args *args, uint64_t begin, uint64_t end) {
  const peaks_params *p = args->params;
  const double *a = args->region[0];
  double *sums = args->region[1];
  for (uint64_t i = begin; i < end; i++) {
    double sum = (double)i;
    for (uint64_t pass = 0; pass < p->passes; pass++) {
      sum += PEAKS(sum)(a, p->resident);
      __asm__ volatile("" : : "r"(a) : "memory"); /* the next pass reads again */
    }
    sums[i] = sum;
  }
}

PEAKS_TARGET static void PEAKS(write)(const bh_args *args, uint64_t begin, uint64_t end) {
  enum { N = PEAKS_WIDTH / sizeof(double) };
  double *c = args->region[0];
  for (uint64_t i = begin; i < end; i++) {
    PEAKS(d) value = {0};
    value += (double)(i + 1);
    for (uint64_t j = i * PEAKS_BLOCK; j < (i + 1) * PEAKS_BLOCK; j += N)
      *(PEAKS(d) *)(c + j) = value;
  }
}

PEAKS_TARGET static void PEAKS(copy)(const bh_args *args, uint64_t begin, uint64_t end) {
  enum { N = PEAKS_WIDTH / sizeof(double) };
  const double *a = args->region[0];
  double *c = args->region[1];
  for (uint64_t j = begin * PEAKS_BLOCK; j < end * PEAKS_BLOCK; j += N)
    *(PEAKS(d) *)(c + j) = *(const PEAKS(d) *)(a + j);
}

PEAKS_TARGET static void PEAKS(triad)(const bh_args *args, uint64_t begin, uint64_t end) {
  enum { N = PEAKS_WIDTH / sizeof(double) };
  const double *a = args->region[0], *b = args->region[1];
  double *c = args->region[2];
  for (uint64_t j = begin * PEAKS_BLOCK; j < end * PEAKS_BLOCK; j += N)
    *(PEAKS(d) *)(c + j) = *(const PEAKS(d) *)(a + j) + 3.0 * *(const PEAKS(d) *)(b + j);
}
#undef PEAKS_CHAINS
