/* SPDX-License-Identifier: MIT
 *
 * chunk-mean: the means of consecutive chunks of one large array: little computing for much data, the case in which
 * handing data to processes costs more than the work. The array is an IN region divided by item, so a backend that
 * copies sends each chunk to its worker. Inputs are multiples of 2^-53, so the reference sums are exact, in 128-bit
 * integers.
 */
#include "chunk-mean.k.h"
#include "chunk-mean.k.inc"
#include "cublas.h"
#include <benchhost/plugin.h>
#include <benchhost/random.h>

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

static void chunk_mean(const bh_args *args, uint64_t begin, uint64_t end) {
  const chunk_mean_params *p = args->params;
  const double *values = args->region[0];
  double *means = args->region[1];
  for (uint64_t c = begin; c < end; c++) {
    uint64_t start = chunk_mean_start(p, c);
    means[c] = chunk_mean_plain(values + start, chunk_mean_start(p, c + 1) - start);
  }
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma")))
#endif
static void
chunk_mean_simd(const bh_args *args, uint64_t begin, uint64_t end) {
  const chunk_mean_params *p = args->params;
  const double *values = args->region[0];
  double *means = args->region[1];
  for (uint64_t c = begin; c < end; c++) {
    uint64_t start = chunk_mean_start(p, c);
    means[c] = chunk_mean_vector(values + start, chunk_mean_start(p, c + 1) - start);
  }
}

static bh_status chunk_mean_probe_simd(const bh_host *h) {
#if defined(__x86_64__)
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
    return h->stop(h, BH_SKIP, "variant simd needs a CPU with AVX2 and FMA");
#endif
  (void)h;
  return BH_OK;
}

static void chunk_mean_slice(const void *params, uint64_t begin, uint64_t end, uint64_t *ret_offset,
                             uint64_t *ret_length) {
  const chunk_mean_params *p = params;
  *ret_offset = chunk_mean_start(p, begin) * sizeof(double);
  *ret_length = chunk_mean_start(p, end) * sizeof(double) - *ret_offset;
}

static const bh_variant chunk_mean_variants[] = {{.name = "simd",
                                                  .target = "host",
                                                  .summary = "sixteen sums at once (AVX2 on x86)",
                                                  .probe = chunk_mean_probe_simd,
                                                  .host = chunk_mean_simd},
                                                 {.name = "cublas",
                                                  .target = "cuda",
                                                  .summary = "one matrix-vector product; chunks of equal length",
                                                  .program = &chunk_mean_cublas},
                                                 {.name = NULL}};

typedef struct {
  const bh_host *host;
  uint64_t seed;
  chunk_mean_params params;
  bh_region regions[2];
  bh_use uses[2];
  bh_kernel kernel;
  bh_loop loop;
} chunk_mean_state;

enum { P_ELEMENTS, P_CHUNKS };

static bh_status chunk_mean_open(const bh_host *h, const bh_value *values, bh_problem *ret_problem, void **ret_state) {
  uint64_t elements = (uint64_t)values[P_ELEMENTS].i, chunks = (uint64_t)values[P_CHUNKS].i;
  if (chunks > elements)
    return h->stop(h, BH_UNSUPPORTED, "chunks=%" PRIu64 " is more than elements=%" PRIu64 ": a chunk would be empty",
                   chunks, elements);
  chunk_mean_state *s = calloc(1, sizeof *s);
  if (!s)
    return h->stop(h, BH_OUT_OF_MEMORY, "no memory for the workload's state");
  uint64_t longest = (elements + chunks - 1) / chunks;
  s->host = h;
  s->seed = h->seed;
  s->params = (chunk_mean_params){.elements = elements, .chunks = chunks};
  s->regions[0] = (bh_region){
      .name = "values", .role = BH_IN, .split = BH_WHOLE, .dtype = BH_F64, .bytes = elements * sizeof(double)};
  /* All terms are positive: any order of summing is within n * 2^-53 of the exact sum, relatively. The n roundings are
   * independent: 16 standard deviations of their sum are less for long chunks, where one lost element is little. */
  double roundings = fmin((double)longest, 16 * sqrt((double)longest)) + 2;
  s->regions[1] = (bh_region){.name = "means",
                              .role = BH_OUT,
                              .split = BH_WHOLE,
                              .dtype = BH_F64,
                              .bytes = chunks * sizeof(double),
                              .rel_tolerance = roundings * (DBL_EPSILON / 2)};
  s->uses[0] = (bh_use){.region = 0, .role = BH_IN, .split = BH_BY_ITEM, .stride_bytes = longest * sizeof(double)};
  if (elements % chunks != 0)
    s->uses[0].slice = chunk_mean_slice;
  s->uses[1] = (bh_use){.region = 1, .role = BH_OUT, .split = BH_BY_ITEM, .stride_bytes = sizeof(double)};
  s->kernel = (bh_kernel){.name = "chunk-mean",
                          BH_KERNEL_DEVICE(chunk_mean, chunk_mean_source),
                          .uses = s->uses,
                          .n_uses = 2,
                          .variants = chunk_mean_variants};
  s->loop = (bh_loop){.items = chunks, .params = &s->params, .params_bytes = sizeof s->params};
  *ret_problem = (bh_problem){.size = ret_problem->size,
                              .regions = s->regions,
                              .n_regions = 2,
                              .kernels = &s->kernel,
                              .n_kernels = 1,
                              .loops = &s->loop,
                              .n_loops = 1,
                              .items = (double)chunks,
                              .flops = (double)elements,
                              .bytes_read = (double)elements * sizeof(double),
                              .bytes_written = (double)chunks * sizeof(double),
                              .item_unit = "chunks"};
  *ret_state = s;
  return BH_OK;
}

static bh_status chunk_mean_fill(void *state, void *const *region, uint32_t workers) {
  const chunk_mean_state *s = state;
  double *values = region[0];
  (void)workers;
  for (uint64_t j = 0; j < s->params.elements; j++)
    values[j] = bh_random_unit(s->seed, j);
  return BH_OK;
}

/* Against exact sums of the generator's numbers, not of the region: a kernel that damaged its input shows too. */
static bh_status chunk_mean_verify(void *state, void *const *region, uint32_t workers) {
  const chunk_mean_state *s = state;
  const double *means = region[1];
  double allowed = s->regions[1].rel_tolerance;
  (void)workers;
  for (uint64_t c = 0, j = 0; c < s->params.chunks; c++) {
    uint64_t start = j, end = chunk_mean_start(&s->params, c + 1);
    unsigned __int128 sum = 0; /* in units of 2^-53 */
    for (; j < end; j++)
      sum += bh_random_u64(s->seed, j) >> 11;
    double expected = (double)((long double)sum / 9007199254740992.0L / (long double)(end - start));
    double error = fabs(means[c] - expected);
    if (!(error <= allowed * expected)) /* NaN is wrong too */
      return s->host->stop(s->host, BH_WRONG,
                           "chunk %" PRIu64 " (elements %" PRIu64 " to %" PRIu64
                           "): expected a mean of %.17g within %.3g of it, found %.17g",
                           c, start, end, expected, allowed, means[c]);
  }
  return BH_OK;
}

static void chunk_mean_close(void *state) {
  free(state);
}

static const bh_param chunk_mean_table[] = {
    {.name = "elements",
     .type = BH_INT,
     .fallback = "10000000",
     .unit = "numbers",
     .help = "length of the array of doubles",
     .min = 1,
     .max = 1e12},
    {.name = "chunks",
     .type = BH_INT,
     .fallback = "1000",
     .unit = "chunks",
     .help = "how many consecutive chunks it is divided into; when that leaves a rest, the first chunks are one longer",
     .min = 1,
     .max = 1e12},
    {.name = NULL}};

static const bh_workload chunk_mean_workload = {.size = sizeof(bh_workload),
                                                .open = chunk_mean_open,
                                                .fill = chunk_mean_fill,
                                                .verify = chunk_mean_verify,
                                                .close = chunk_mean_close};

const bh_plugin_info bh_plugin = {BH_PLUGIN_HEAD,
                                  .name = "chunk-mean",
                                  .version = "0.1.0",
                                  .summary = "means of the chunks of a large array: much data, little computing",
                                  .params = chunk_mean_table,
                                  .workload = &chunk_mean_workload};
