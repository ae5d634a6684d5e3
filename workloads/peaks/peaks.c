/* SPDX-License-Identifier: MIT
 *
 * peaks: the most that this machine does: fused multiply-adds per second, and bytes per second from memory (read,
 * write, copy, STREAM's triad) and from the caches of one core. Results are verified like any other's. Each cell says
 * by the fact `roof` which roof of the roofline model it is.
 */
#include "peaks.h"
#include "peaks.k.h"
#include "peaks.k.inc"
#include <benchhost/plugin.h>
#include <benchhost/random.h>

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#define PEAKS_JOIN(a, b) a##_##b

#define PEAKS(name) PEAKS_JOIN(portable, name)
#define PEAKS_WIDTH 16
#define PEAKS_TARGET
#include "vectors.h"
#undef PEAKS
#undef PEAKS_WIDTH
#undef PEAKS_TARGET

#if defined(__x86_64__)
#define PEAKS(name) PEAKS_JOIN(simd, name)
#define PEAKS_WIDTH 32
#define PEAKS_TARGET __attribute__((target("avx2,fma")))
#include "vectors.h"
#undef PEAKS
#undef PEAKS_WIDTH
#undef PEAKS_TARGET
#define PEAKS(name) PEAKS_JOIN(avx512, name)
#define PEAKS_WIDTH 64
#define PEAKS_TARGET __attribute__((target("avx512f")))
#include "vectors.h"
#undef PEAKS
#undef PEAKS_WIDTH
#undef PEAKS_TARGET
#define PEAKS_SIMD(name) simd_##name
#define PEAKS_AVX512(name) avx512_##name

static bh_status probe_simd(const bh_host *h) {
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
    return h->stop(h, BH_SKIP, "variant simd needs a CPU with AVX2 and FMA");
  return BH_OK;
}

static bh_status probe_avx512(const bh_host *h) {
  if (!__builtin_cpu_supports("avx512f"))
    return h->stop(h, BH_SKIP, "variant avx512 needs a CPU with AVX-512F");
  return BH_OK;
}
#else
#define PEAKS_SIMD(name) portable_##name
#define PEAKS_AVX512(name) portable_##name

static bh_status probe_simd(const bh_host *h) {
  (void)h;
  return BH_OK;
}

static bh_status probe_avx512(const bh_host *h) {
  return h->stop(h, BH_SKIP, "variant avx512 needs an x86 CPU with AVX-512F");
}
#endif

#define PEAKS_VARIANTS(id)                                                                                             \
  static const bh_variant id##_variants[] = {                                                                          \
      {.name = "simd",                                                                                                 \
       .target = "host",                                                                                               \
       .summary = "AVX2 and FMA on x86, else the compiler's vectors",                                                  \
       .probe = probe_simd,                                                                                            \
       .host = PEAKS_SIMD(id)},                                                                                        \
      {.name = "avx512", .target = "host", .summary = "AVX-512F", .probe = probe_avx512, .host = PEAKS_AVX512(id)},    \
      {.name = NULL}};
PEAKS_VARIANTS(fma_double)
PEAKS_VARIANTS(fma_single)
PEAKS_VARIANTS(read)
PEAKS_VARIANTS(write)
PEAKS_VARIANTS(copy)
PEAKS_VARIANTS(triad)
PEAKS_VARIANTS(reread)

static const bh_use fma_double_uses[] = {
    {.region = 0, .role = BH_OUT, .split = BH_BY_ITEM, .stride_bytes = PEAKS_DOUBLES * sizeof(double)}};
static const bh_use fma_single_uses[] = {
    {.region = 0, .role = BH_OUT, .split = BH_BY_ITEM, .stride_bytes = PEAKS_FLOATS * sizeof(float)}};
#define PEAKS_BLOCK_BYTES (PEAKS_BLOCK * sizeof(double))
static const bh_use read_uses[] = {{.region = 0, .role = BH_IN, .split = BH_BY_ITEM, .stride_bytes = PEAKS_BLOCK_BYTES},
                                   {.region = 1, .role = BH_OUT, .split = BH_BY_ITEM, .stride_bytes = sizeof(double)}};
static const bh_use write_uses[] = {
    {.region = 0, .role = BH_OUT, .split = BH_BY_ITEM, .stride_bytes = PEAKS_BLOCK_BYTES}};
static const bh_use copy_uses[] = {
    {.region = 0, .role = BH_IN, .split = BH_BY_ITEM, .stride_bytes = PEAKS_BLOCK_BYTES},
    {.region = 1, .role = BH_OUT, .split = BH_BY_ITEM, .stride_bytes = PEAKS_BLOCK_BYTES}};
static const bh_use triad_uses[] = {
    {.region = 0, .role = BH_IN, .split = BH_BY_ITEM, .stride_bytes = PEAKS_BLOCK_BYTES},
    {.region = 1, .role = BH_IN, .split = BH_BY_ITEM, .stride_bytes = PEAKS_BLOCK_BYTES},
    {.region = 2, .role = BH_OUT, .split = BH_BY_ITEM, .stride_bytes = PEAKS_BLOCK_BYTES}};
static const bh_use reread_uses[] = {
    {.region = 0, .role = BH_IN, .split = BH_WHOLE},
    {.region = 1, .role = BH_OUT, .split = BH_BY_ITEM, .stride_bytes = sizeof(double)}};

/* On devices: peaks.k.h, of one shape. */
#define PEAKS_KERNEL(id, n)                                                                                            \
  {                                                                                                                    \
    .name = #id, .host = portable_##id, .source = peaks_source, .source_bytes = sizeof peaks_source - 1,               \
    .entry = "peaks_" #id, .shape = &peaks_shape, .uses = id##_uses, .n_uses = (n), .variants = id##_variants          \
  }
typedef enum { K_FMA_DOUBLE = 0, K_FMA_SINGLE, K_READ, K_WRITE, K_COPY, K_TRIAD, K_REREAD } peaks_kernel;
static const bh_kernel kernels[] = {[K_FMA_DOUBLE] = PEAKS_KERNEL(fma_double, 1),
                                    [K_FMA_SINGLE] = PEAKS_KERNEL(fma_single, 1),
                                    [K_READ] = PEAKS_KERNEL(read, 2),
                                    [K_WRITE] = PEAKS_KERNEL(write, 1),
                                    [K_COPY] = PEAKS_KERNEL(copy, 2),
                                    [K_TRIAD] = PEAKS_KERNEL(triad, 3),
                                    [K_REREAD] = PEAKS_KERNEL(reread, 2)};

typedef struct {
  const bh_host *host;
  peaks_params params;
  peaks_kernel kernel;
  bh_region regions[3];
  uint32_t n_regions;
  uint64_t items;
  bh_loop loop;
} peaks_state;

enum { P_OP, P_PRECISION, P_ITEMS, P_BYTES };
typedef enum { OP_FMA = 0, OP_READ, OP_WRITE, OP_COPY, OP_TRIAD, OP_READ_L1, OP_READ_L2 } peaks_op;

static void add_region(peaks_state *s, const char *name, bh_role role, uint64_t bytes, bh_dtype dtype) {
  s->regions[s->n_regions++] =
      (bh_region){.name = name, .role = role, .split = BH_WHOLE, .dtype = dtype, .bytes = bytes};
}

static void set_up_fma(peaks_state *s, int single, uint64_t items, bh_problem *problem) {
  const uint64_t lanes = single ? PEAKS_FLOATS : PEAKS_DOUBLES;
  s->kernel = single ? K_FMA_SINGLE : K_FMA_DOUBLE;
  s->items = items;
  add_region(s, "results", BH_OUT, items * lanes * (single ? sizeof(float) : sizeof(double)), single ? BH_F32 : BH_F64);
  /* Each round rounds twice (once with a fused multiply-add), by at most 2^-23 between 2 and 4 in single precision, and
   * errors shrink from round to round. Measured against results of 1 and more. */
  s->regions[0].abs_tolerance = (double)(PEAKS_ROUNDS + 4) * 2 * ldexp(1, single ? -23 : -52);
  problem->flops = (double)items * (double)lanes * (double)PEAKS_ROUNDS * 2;
  s->host->fact(s->host, "roof", "flops");
}

static void set_up_memory(peaks_state *s, peaks_op op, uint64_t bytes, bh_problem *problem) {
  static const peaks_kernel of[] = {[OP_READ] = K_READ, [OP_WRITE] = K_WRITE, [OP_COPY] = K_COPY, [OP_TRIAD] = K_TRIAD};
  const uint64_t array = (bytes + PEAKS_BLOCK_BYTES - 1) / PEAKS_BLOCK_BYTES * PEAKS_BLOCK_BYTES;
  const double elements = (double)(array / sizeof(double));
  s->kernel = of[op];
  s->items = array / PEAKS_BLOCK_BYTES;
  if (op != OP_WRITE)
    add_region(s, "a", BH_IN, array, BH_F64);
  if (op == OP_TRIAD)
    add_region(s, "b", BH_IN, array, BH_F64);
  if (op == OP_READ)
    add_region(s, "sums", BH_OUT, s->items * sizeof(double), BH_F64);
  else
    add_region(s, "c", BH_OUT, array, BH_F64);
  problem->bytes_read = op == OP_WRITE ? 0 : op == OP_TRIAD ? 16 * elements : 8 * elements;
  problem->bytes_written = op == OP_READ ? 0 : 8 * elements;
  problem->flops = op == OP_READ ? elements : op == OP_TRIAD ? 2 * elements : 0;
  s->host->fact(s->host, "roof", "bandwidth");
  s->host->fact(s->host, "array bytes", "%" PRIu64, array);
}

/* More than half of any cache of that level, of processors and devices: an array that stays in none would be called its
 * roof, and take hours, as each item goes over all of it. */
static bh_status check_resident(const bh_host *h, unsigned level, uint64_t bytes) {
  const uint64_t most = level == 1 ? UINT64_C(1) << 20 : UINT64_C(64) << 20;
  if (bytes <= most)
    return BH_OK;
  return h->stop(h, BH_UNSUPPORTED,
                 "bytes: half of a level %u cache expected, at most %" PRIu64 " bytes, found %" PRIu64
                 "; measure caches in a run of their own",
                 level, most, bytes);
}

/* Half of the cache, so that nothing else in it pushes the array out. */
static bh_status set_up_resident(peaks_state *s, unsigned level, uint64_t bytes, uint64_t items, bh_problem *problem) {
  const uint64_t cache = peaks_cache_bytes(level), wanted = bytes ? bytes : cache / 2;
  if (!wanted)
    return s->host->stop(s->host, BH_SKIP, "the system does not say how large a core's level %u cache is: give `bytes`",
                         level);
  const bh_status status = check_resident(s->host, level, bytes);
  if (status != BH_OK)
    return status;
  s->params.resident = wanted < PEAKS_BLOCK_BYTES ? PEAKS_BLOCK : wanted / PEAKS_BLOCK_BYTES * PEAKS_BLOCK;
  s->params.passes = 1 + 65536 / s->params.resident; /* about half a MiB in each item */
  s->kernel = K_REREAD;
  s->items = items;
  add_region(s, "a", BH_IN, s->params.resident * sizeof(double), BH_F64);
  add_region(s, "sums", BH_OUT, items * sizeof(double), BH_F64);
  problem->flops = (double)items * (double)(s->params.resident * s->params.passes);
  problem->bytes_read = 8 * problem->flops;
  s->host->fact(s->host, "roof", "bandwidth L%u", level);
  s->host->fact(s->host, "array bytes", "%" PRIu64, s->params.resident * 8);
  return BH_OK;
}

/* STREAM's rule: each array at least four times the last-level caches, so that nothing is left in them. */
static uint64_t default_array(void) {
  const uint64_t cache = peaks_last_cache_bytes(), least = UINT64_C(64) << 20;
  return 4 * cache > least ? 4 * cache : least;
}

static bh_status peaks_open(const bh_host *h, const bh_value *values, bh_problem *ret_problem, void **ret_state) {
  peaks_state *s = calloc(1, sizeof *s);
  if (!s)
    return h->stop(h, BH_OUT_OF_MEMORY, "no memory for the workload's state");
  const peaks_op op = (peaks_op)values[P_OP].i;
  const uint64_t bytes = (uint64_t)values[P_BYTES].i, items = (uint64_t)values[P_ITEMS].i;
  bh_problem problem = {.size = ret_problem->size};
  bh_status status = BH_OK;
  s->host = h;
  s->params.seed = h->seed;
  if (op == OP_FMA)
    set_up_fma(s, values[P_PRECISION].i == 1, items, &problem);
  else if (op == OP_READ_L1 || op == OP_READ_L2)
    status = set_up_resident(s, op == OP_READ_L1 ? 1 : 2, bytes, items, &problem);
  else
    set_up_memory(s, op, bytes ? bytes : default_array(), &problem);
  if (status != BH_OK) {
    free(s);
    return status;
  }
  s->loop = (bh_loop){.items = s->items, .params = &s->params, .params_bytes = sizeof s->params};
  problem.flags = BH_REPEATABLE;
  problem.regions = s->regions;
  problem.n_regions = s->n_regions;
  problem.kernels = &kernels[s->kernel];
  problem.n_kernels = 1;
  problem.loops = &s->loop;
  problem.n_loops = 1;
  problem.items = (double)s->items;
  problem.item_unit = "blocks";
  *ret_problem = problem;
  *ret_state = s;
  return BH_OK;
}

/* Whole numbers below 1024. `array`: 0 or 1. */
static double peaks_value(uint64_t seed, uint64_t array, uint64_t j) {
  return (double)(int32_t)(bh_random_u64(seed + array, j) >> 54);
}

static bh_status peaks_fill(void *state, void *const *region, uint32_t workers) {
  const peaks_state *s = state;
  (void)workers;
  for (uint32_t r = 0; r < s->n_regions; r++) {
    double *values = region[r];
    for (uint64_t j = 0; s->regions[r].role == BH_IN && j < s->regions[r].bytes / sizeof(double); j++)
      values[j] = peaks_value(s->params.seed, r, j);
  }
  return BH_OK;
}

/* Against the closed form: the distance from the fixed point shrinks by a in each round. */
static bh_status verify_fma(const peaks_state *s, const void *results, int single) {
  const long double left = powl((long double)PEAKS_A, (long double)PEAKS_ROUNDS);
  const double allowed = s->regions[0].abs_tolerance;
  const uint64_t lanes = single ? PEAKS_FLOATS : PEAKS_DOUBLES;
  for (uint64_t i = 0; i < s->items; i++)
    for (uint64_t k = 0; k < lanes; k++) {
      const double found =
          single ? (double)((const float *)results)[i * lanes + k] : ((const double *)results)[i * lanes + k];
      const double expected =
          (double)(1 + left * (peaks_item_start(s->params.seed, i) + (double)k * PEAKS_LANE_STEP - 1));
      if (!(fabs(found - expected) <= allowed)) /* NaN is wrong too */
        return s->host->stop(s->host, BH_WRONG, "item %" PRIu64 ", lane %" PRIu64 ": expected %.9g +- %.3g, found %.9g",
                             i, k, expected, allowed, found);
    }
  return BH_OK;
}

static double array_expected(const peaks_state *s, uint64_t j) {
  const uint64_t seed = s->params.seed;
  switch (s->kernel) {
  case K_WRITE:
    return (double)(j / PEAKS_BLOCK + 1);
  case K_TRIAD:
    return peaks_value(seed, 0, j) + 3 * peaks_value(seed, 1, j);
  default:
    return peaks_value(seed, 0, j);
  }
}

/* Every element, from the generator and not from the inputs: all numbers are whole, so results are exact. */
static bh_status verify_array(const peaks_state *s, const double *c) {
  for (uint64_t j = 0; j < s->items * PEAKS_BLOCK; j++) {
    const double expected = array_expected(s, j);
    if (!(c[j] == expected))
      return s->host->stop(s->host, BH_WRONG, "element %" PRIu64 ": expected %.17g, found %.17g", j, expected, c[j]);
  }
  return BH_OK;
}

static double block_sum(const peaks_state *s, uint64_t first, uint64_t n) {
  uint64_t sum = 0;
  for (uint64_t j = first; j < first + n; j++)
    sum += bh_random_u64(s->params.seed, j) >> 54;
  return (double)sum;
}

static bh_status verify_sums(const peaks_state *s, const double *sums) {
  const int again = s->kernel == K_REREAD;
  const double all = again ? block_sum(s, 0, s->params.resident) * (double)s->params.passes : 0;
  for (uint64_t i = 0; i < s->items; i++) {
    const double expected = again ? all + (double)i : block_sum(s, i * PEAKS_BLOCK, PEAKS_BLOCK);
    if (!(sums[i] == expected))
      return s->host->stop(s->host, BH_WRONG, "block %" PRIu64 ": expected a sum of %.17g, found %.17g", i, expected,
                           sums[i]);
  }
  return BH_OK;
}

static bh_status peaks_verify(void *state, void *const *region, uint32_t workers) {
  const peaks_state *s = state;
  (void)workers;
  switch (s->kernel) {
  case K_FMA_DOUBLE:
  case K_FMA_SINGLE:
    return verify_fma(s, region[0], s->kernel == K_FMA_SINGLE);
  case K_READ:
  case K_REREAD:
    return verify_sums(s, region[1]);
  default:
    return verify_array(s, region[s->n_regions - 1]);
  }
}

static void peaks_close(void *state) {
  free(state);
}

static const bh_param peaks_table[] = {
    {.name = "op",
     .type = BH_CHOICE,
     .fallback = "fma",
     .choices = "fma|read|write|copy|triad|read-l1|read-l2",
     .help = "fma: multiply-adds on registers; read, write, copy, triad (c = a + 3 b): arrays in memory; read-l1, "
             "read-l2: an array that stays in a core's cache"},
    {.name = "precision",
     .type = BH_CHOICE,
     .fallback = "double",
     .choices = "double|single",
     .help = "of fma; memory is measured with doubles"},
    {.name = "items",
     .type = BH_INT,
     .fallback = "2048",
     .unit = "blocks",
     .help = "fma: blocks of 196608 (single: 393216) operations; read-l1, read-l2: blocks of about half a MiB",
     .min = 1,
     .max = 1e9},
    {.name = "bytes",
     .type = BH_SIZE,
     .fallback = "0",
     .help = "of one array, in whole blocks of 4 KiB; 0: four times the last-level caches, at least 64 MiB; for "
             "read-l1 and read-l2 half of that cache",
     .min = 0,
     .max = 1e13},
    {.name = NULL}};

static const bh_workload peaks_workload = {
    .size = sizeof(bh_workload), .open = peaks_open, .fill = peaks_fill, .verify = peaks_verify, .close = peaks_close};

const bh_plugin_info bh_plugin = {
    BH_PLUGIN_HEAD,        .name = "peaks",
    .version = "0.1.0",    .summary = "the most that this machine does: multiply-adds, memory and cache bandwidth",
    .params = peaks_table, .workload = &peaks_workload};
