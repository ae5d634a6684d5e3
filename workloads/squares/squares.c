/* SPDX-License-Identifier: MIT
 *
 * squares: `size` times: draw `draws` uniform floats, square them, sum them; and accumulate all sums. Pure computation
 * with no input, that must scale. The numbers come from their position (benchhost/random.h), so every split gives the
 * same.
 */
#include "squares.k.h"
#include "squares.k.inc"
#include <benchhost/plugin.h>

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#define SQUARES_FULL_DRAWS 2e7   /* up to here everything is recomputed (some tens of milliseconds) */
#define SQUARES_SAMPLE_DRAWS 4e6 /* beyond, this much at seeded positions */

static inline __attribute__((always_inline)) void squares_items(const bh_args *args, uint64_t begin, uint64_t end) {
  const squares_params p = *(const squares_params *)args->params;
  float *sums = args->region[0];
  double total = 0;
  for (uint64_t i = begin; i < end; i++) {
    sums[i] = squares_item(i, p.seed, p.draws);
    total += (double)sums[i];
  }
  *(double *)args->region[1] += total;
}

static void squares(const bh_args *args, uint64_t begin, uint64_t end) {
  squares_items(args, begin, end);
}

#if defined(__x86_64__)
#define SQUARES_SIMD "AVX2 and FMA"
__attribute__((target("avx2,fma"))) static void squares_simd(const bh_args *args, uint64_t begin, uint64_t end) {
  squares_items(args, begin, end);
}

static bh_status squares_probe_simd(const bh_host *h) {
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
    return h->stop(h, BH_SKIP, "variant simd needs a CPU with AVX2 and FMA");
  return BH_OK;
}
#else
#define SQUARES_SIMD "the compiler's default vectors"
static void squares_simd(const bh_args *args, uint64_t begin, uint64_t end) {
  squares_items(args, begin, end);
}

static bh_status squares_probe_simd(const bh_host *h) {
  (void)h;
  return BH_OK;
}
#endif

static void squares_combine(void *into, const void *part, uint64_t bytes) {
  (void)bytes;
  *(double *)into += *(const double *)part;
}

static const bh_use squares_uses[] = {{.region = 0, .role = BH_OUT, .split = BH_BY_ITEM, .stride_bytes = sizeof(float)},
                                      {.region = 1, .role = BH_REDUCE, .split = BH_WHOLE}};
static const bh_variant squares_variants[] = {{.name = "simd",
                                               .target = "host",
                                               .summary = "the same code compiled for " SQUARES_SIMD,
                                               .probe = squares_probe_simd,
                                               .host = squares_simd},
                                              {.name = NULL}};
static const bh_kernel squares_kernels[] = {{.name = "squares",
                                             BH_KERNEL_DEVICE(squares, squares_source),
                                             .uses = squares_uses,
                                             .n_uses = 2,
                                             .variants = squares_variants}};

typedef struct {
  const bh_host *host;
  squares_params params;
  bh_region regions[2];
  bh_loop loop;
  int full;
  uint64_t checks; /* how many times verify ran: each time other items are recomputed */
} squares_state;

enum { P_SIZE, P_DRAWS, P_CHECK };

static bh_status squares_open(const bh_host *h, const bh_value *values, bh_problem *ret_problem, void **ret_state) {
  squares_state *s = calloc(1, sizeof *s);
  if (!s)
    return h->stop(h, BH_OUT_OF_MEMORY, "no memory for the workload's state");
  uint64_t size = (uint64_t)values[P_SIZE].i, draws = (uint64_t)values[P_DRAWS].i;
  double all = (double)size * (double)draws;
  s->host = h;
  s->params = (squares_params){.seed = h->seed, .draws = draws};
  s->full = values[P_CHECK].i == 1 || all <= SQUARES_FULL_DRAWS;
  /* No sum has more roundings in a row than a block's lane and tail, all relative, all terms positive: fewer draws,
   * fewer roundings. Doubles add nothing to that. */
  double block = (double)(draws < 2 * SQUARES_BLOCK ? draws : 2 * SQUARES_BLOCK);
  s->regions[0] = (bh_region){.name = "sums",
                              .role = BH_OUT,
                              .split = BH_WHOLE,
                              .dtype = BH_F32,
                              .bytes = size * sizeof(float),
                              .rel_tolerance = (block / SQUARES_LANES + 32) * (FLT_EPSILON / 2)};
  /* Rounding errors of `size` additions are independent: 16 standard deviations of their sum, and then some. */
  s->regions[1] = (bh_region){.name = "total",
                              .role = BH_REDUCE,
                              .split = BH_WHOLE,
                              .dtype = BH_F64,
                              .bytes = sizeof(double),
                              .rel_tolerance = (16 * sqrt((double)size) + 16) * (DBL_EPSILON / 2),
                              .combine = squares_combine};
  s->loop = (bh_loop){.items = size, .params = &s->params, .params_bytes = sizeof s->params};
  *ret_problem =
      (bh_problem){.size = ret_problem->size,
                   .regions = s->regions,
                   .n_regions = 2,
                   .kernels = squares_kernels,
                   .n_kernels = 1,
                   .loops = &s->loop,
                   .n_loops = 1,
                   .items = (double)size,
                   .flops = 2 * all, /* one multiplication and one addition a draw; drawing is integer work */
                   .bytes_written = (double)size * sizeof(float),
                   .item_unit = "sums"};
  *ret_state = s;
  return BH_OK;
}

/* The reference: one draw after the other, in double, straight from the generator's definition. */
static double squares_reference(const squares_params *p, uint64_t item) {
  uint64_t first = item * ((p->draws + 1) / 2);
  double sum = 0;
  for (uint64_t d = 0; d < p->draws; d++) {
    uint64_t r = bh_random_u64(p->seed, first + d / 2);
    double u = (double)(d % 2 == 0 ? r >> 40 : (r >> 8) % 16777216) / 16777216;
    sum += u * u;
  }
  return sum;
}

static bh_status squares_check_item(const squares_state *s, const float *sums, uint64_t i) {
  double expected = squares_reference(&s->params, i);
  if (fabs((double)sums[i] - expected) <= s->regions[0].rel_tolerance * expected) /* false for NaN */
    return BH_OK;
  return s->host->stop(s->host, BH_WRONG, "item %" PRIu64 ": expected %.9g within %.3g of it, found %.9g", i, expected,
                       s->regions[0].rel_tolerance, (double)sums[i]);
}

/* u*u has mean 1/3 and variance 4/45; all draws are independent. Items may be 9 sigma out (with 2e6 of them, 6 happen),
 * the total 6. Few draws are no normal distribution: the hard limits 0 and `draws` hold always. */
static bh_status squares_check_statistics(const squares_state *s, const float *sums, double total) {
  const bh_host *h = s->host;
  double draws = (double)s->params.draws, items = (double)s->loop.items;
  double reach = 9 * sqrt(draws * 4 / 45) + draws * 1e-4, sum = 0, out = 6 * sqrt(items * draws * 4 / 45);
  long double exact = 0;
  for (uint64_t i = 0; i < s->loop.items; i++) {
    double found = (double)sums[i];
    if (!(found >= 0 && found <= draws * 1.0001 && fabs(found - draws / 3) <= reach))
      return h->stop(h, BH_WRONG, "item %" PRIu64 ": expected %.9g +- %.3g (9 sigma), found %.9g", i, draws / 3, reach,
                     found);
    exact += (long double)sums[i];
  }
  sum = (double)exact;
  if (!(fabs(total - sum) <= s->regions[1].rel_tolerance * sum))
    return h->stop(h, BH_WRONG, "total: expected the items' sum %.17g within %.3g of it, found %.17g", sum,
                   s->regions[1].rel_tolerance, total);
  if (!(fabs(sum - items * draws / 3) <= out + items * draws * 1e-6))
    return h->stop(h, BH_WRONG, "total: expected %.9g +- %.3g (6 sigma), found %.9g", items * draws / 3, out, total);
  return BH_OK;
}

static bh_status squares_verify(void *state, void *const *region, uint32_t workers) {
  squares_state *s = state;
  const float *sums = region[0];
  uint64_t items = s->loop.items, n = items;
  (void)workers;
  if (!s->full) {
    double afford = SQUARES_SAMPLE_DRAWS / (double)s->params.draws;
    n = afford < 64 ? 64 : (uint64_t)afford;
    if (n > items)
      n = items;
  }
  s->checks++;
  for (uint64_t k = 0; k < n; k++) {
    uint64_t i = n == items   ? k
                 : k == 0     ? 0
                 : k == n - 1 ? items - 1
                              : bh_random_u64(~s->params.seed + s->checks, k) % items;
    bh_status status = squares_check_item(s, sums, i);
    if (status != BH_OK)
      return status;
  }
  return squares_check_statistics(s, sums, *(const double *)region[1]);
}

static void squares_close(void *state) {
  free(state);
}

static const bh_param squares_table[] = {
    {.name = "size",
     .type = BH_INT,
     .fallback = "20000",
     .unit = "sums",
     .help = "how many sums",
     .min = 0,
     .max = 1e12},
    {.name = "draws",
     .type = BH_INT,
     .fallback = "1000",
     .unit = "numbers",
     .help = "how many uniform floats are squared for each sum",
     .min = 1,
     .max = 1e9},
    {.name = "check",
     .type = BH_CHOICE,
     .fallback = "auto",
     .choices = "auto|full",
     .help =
         "auto: recompute all sums up to 2e7 draws, beyond that a seeded sample of about 4e6 draws besides the checks "
         "of every sum's range and of the total; full: recompute all"},
    {.name = NULL}};

static const bh_workload squares_workload = {
    .size = sizeof(bh_workload), .open = squares_open, .verify = squares_verify, .close = squares_close};

const bh_plugin_info bh_plugin = {
    BH_PLUGIN_HEAD,          .name = "squares",
    .version = "0.1.0",      .summary = "sums of squares of random floats: pure computation that must scale",
    .params = squares_table, .workload = &squares_workload};
