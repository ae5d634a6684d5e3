/* SPDX-License-Identifier: MIT
 *
 * calibrated: ten kinds of work in equal items, one of which can be made slower by a known share: what the study behind
 * docs/calibration.md measures. A build does INJECT_PERCENT more items of one kind (INJECT_KIND, and with
 * INJECT_WORKERS workers only): other ones, since a repeated item is cheaper (its branches are predicted, its data in the
 * cache). They are the same work in the same kernel, and are counted. Builds differ in that record alone, not in code,
 * so that the true slowdown of the kernel is known: the percentage.
 */
#include <benchhost/plugin.h>
#include <benchhost/random.h>

#include <inttypes.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef INJECT_PERCENT
#define INJECT_PERCENT 0
#define INJECT_KIND 0
#define INJECT_WORKERS 0
#endif

enum { INTEGER, FLOAT, DIVIDE, BRANCH, L1, L2, STREAM, CHASE, ALLOC, SYSCALL, KINDS };
#define KIND_NAMES "integer|float|divide|branch|l1|l2|stream|chase|alloc|syscall"

/* Read when the program runs (volatile), so that builds have the same code. */
static const volatile struct {
  uint32_t kind, workers, percent;
} inject = {INJECT_KIND, INJECT_WORKERS, INJECT_PERCENT};

typedef struct {
  uint64_t kind, seed, words; /* words: of the table, a power of 2 */
} calibrated_params;

#define BEYOND (UINT64_C(1) << 20) /* items from here on are nobody's */

/* Keeps the compiler from leaving work out. */
#define OPAQUE(x) __asm__ volatile("" : "+r"(x) : : "memory")

static uint64_t do_integer(uint64_t x) {
  for (uint32_t k = 0; k < 700; k++)
    x = bh_random_mix(x + k);
  return x;
}

static uint64_t do_float(uint64_t x) {
  double a = (double)(x >> 40), b = a + 1, c = a + 2, d = a + 3;
  for (uint32_t k = 0; k < 2000; k++) {
    a = a * 0.999 + 0.5;
    b = b * 0.998 + 0.5;
    c = c * 0.997 + 0.5;
    d = d * 0.996 + 0.5;
  }
  return (uint64_t)((a + b + c + d) * 4096);
}

static uint64_t do_divide(uint64_t x) {
  double a = (double)(x >> 40) + 1;
  for (uint32_t k = 0; k < 500; k++)
    a = 1 + 1e6 / (a + k);
  return (uint64_t)(a * 4096);
}

/* Which way is decided by random bits; the barriers keep the branches from becoming moves. */
static uint64_t do_branch(uint64_t x) {
  uint64_t sum = 0, bits = x;
  for (uint32_t k = 0; k < 800; k++) {
    bits = bits * UINT64_C(6364136223846793005) + 1442695040888963407;
    if (bits >> 63) {
      OPAQUE(sum);
      sum += bits >> 33;
    } else if (bits >> 62) {
      OPAQUE(sum);
      sum ^= bits;
    } else {
      OPAQUE(sum);
      sum = sum * 3 + 1;
    }
  }
  return sum;
}

/* 16 KiB, four times over. */
static uint64_t do_l1(const uint64_t *table, uint64_t words, uint64_t x) {
  for (uint64_t k = 0; k < 4 * words; k++)
    x = (x ^ table[k & (words - 1)]) + (x << 1);
  return x;
}

static uint64_t do_l2(const uint64_t *table, uint64_t words, uint64_t x) {
  uint64_t sum = x;
  for (uint64_t k = 0; k < 3000; k++)
    sum += table[bh_random_u64(x, k) & (words - 1)];
  return sum;
}

/* 64 KiB, another piece for each item. */
static uint64_t do_stream(const uint64_t *table, uint64_t words, uint64_t item, uint64_t x) {
  const uint64_t piece = 8192, from = item * 5 * piece & (words - 1);
  for (uint64_t k = 0; k < piece; k++)
    x += table[from + k];
  return x;
}

/* The table is one cycle through all its words in an order that no prefetcher guesses. */
static uint64_t do_chase(const uint64_t *table, uint64_t words, uint64_t x) {
  uint64_t at = x & (words - 1);
  for (uint32_t k = 0; k < 400; k++)
    at = table[at];
  return at;
}

static uint64_t do_alloc(uint64_t x) {
  unsigned char *held[16];
  uint64_t sum = 0;
  for (uint32_t batch = 0; batch < 8; batch++) {
    for (uint32_t k = 0; k < 16; k++) {
      const uint64_t bytes = 16 + (bh_random_u64(x, batch * 16 + k) & 2047);
      held[k] = malloc(bytes);
      if (held[k])
        held[k][bytes - 1] = (unsigned char)bytes;
      sum += held[k] ? held[k][bytes - 1] : 0;
    }
    for (uint32_t k = 0; k < 16; k++) {
      OPAQUE(held[k]);
      free(held[k]);
    }
  }
  return sum;
}

static uint64_t do_syscall(uint64_t x) {
  for (uint32_t k = 0; k < 25; k++)
    x += syscall(SYS_getppid) >= 0;
  return x;
}

static uint64_t do_item(const calibrated_params *p, const uint64_t *table, uint64_t item) {
  const uint64_t x = bh_random_u64(p->seed, item);
  switch (p->kind) {
  case INTEGER:
    return do_integer(x);
  case FLOAT:
    return do_float(x);
  case DIVIDE:
    return do_divide(x);
  case BRANCH:
    return do_branch(x);
  case L1:
    return do_l1(table, p->words, x);
  case L2:
    return do_l2(table, p->words, x);
  case STREAM:
    return do_stream(table, p->words, item, x);
  case CHASE:
    return do_chase(table, p->words, x);
  case ALLOC:
    return do_alloc(x);
  default:
    return do_syscall(x);
  }
}

/* How many items more are done beside the first `items`: they lie evenly, so that chunks of workers have equal parts. */
static uint64_t added(uint64_t items, uint32_t percent) {
  return items * percent / 100;
}

static void calibrated_chunk(const bh_args *args, uint64_t begin, uint64_t end) {
  const calibrated_params *p = args->params;
  const uint64_t *table = args->region[0];
  uint64_t *results = args->region[1], executed = 0;
  const uint32_t percent = inject.kind == p->kind && inject.workers == args->workers ? inject.percent : 0;
  for (uint64_t i = begin; i < end; i++) {
    if (added(i + 1, percent) > added(i, percent)) {
      uint64_t unused = do_item(p, table, i + BEYOND);
      OPAQUE(unused);
      executed++;
    }
    results[i] = do_item(p, table, i);
    executed++;
  }
  *(uint64_t *)args->region[2] += executed;
}

static void calibrated_combine(void *into, const void *part, uint64_t bytes) {
  (void)bytes;
  *(uint64_t *)into += *(const uint64_t *)part;
}

static const bh_use calibrated_uses[] = {
    {.region = 0, .role = BH_IN, .split = BH_WHOLE},
    {.region = 1, .role = BH_OUT, .split = BH_BY_ITEM, .stride_bytes = sizeof(uint64_t)},
    {.region = 2, .role = BH_REDUCE, .split = BH_WHOLE}};
static const bh_kernel calibrated_kernels[] = {
    {.name = "items", .host = calibrated_chunk, .uses = calibrated_uses, .n_uses = 3}};

typedef struct {
  const bh_host *host;
  calibrated_params params;
  bh_region regions[3];
  bh_loop loop;
} calibrated_state;

enum { P_KIND, P_ITEMS };

static uint64_t table_words(uint64_t kind) {
  const uint64_t kib = kind == L1 ? 16 : kind == L2 ? 256 : kind == STREAM ? 4096 : kind == CHASE ? 2048 : 1;
  return kib * 1024 / sizeof(uint64_t);
}

static bh_status calibrated_open(const bh_host *h, const bh_value *values, bh_problem *ret_problem, void **ret_state) {
  calibrated_state *s = calloc(1, sizeof *s);
  if (!s)
    return h->stop(h, BH_OUT_OF_MEMORY, "no memory for the workload's state");
  const uint64_t kind = (uint64_t)values[P_KIND].i, items = (uint64_t)values[P_ITEMS].i, words = table_words(kind);
  s->host = h;
  s->params = (calibrated_params){.kind = kind, .seed = h->seed, .words = words};
  s->regions[0] = (bh_region){
      .name = "table", .role = BH_IN, .split = BH_WHOLE, .dtype = BH_U64, .bytes = words * sizeof(uint64_t)};
  s->regions[1] = (bh_region){
      .name = "results", .role = BH_OUT, .split = BH_WHOLE, .dtype = BH_U64, .bytes = items * sizeof(uint64_t)};
  s->regions[2] = (bh_region){.name = "executed",
                              .role = BH_REDUCE,
                              .split = BH_WHOLE,
                              .dtype = BH_U64,
                              .bytes = sizeof(uint64_t),
                              .combine = calibrated_combine};
  s->loop = (bh_loop){.items = items, .params = &s->params, .params_bytes = sizeof s->params};
  *ret_problem = (bh_problem){.size = ret_problem->size,
                              .flags = BH_EFFECTS, /* allocates, calls the system */
                              .regions = s->regions,
                              .n_regions = 3,
                              .kernels = calibrated_kernels,
                              .n_kernels = 1,
                              .loops = &s->loop,
                              .n_loops = 1,
                              .items = (double)items};
  *ret_state = s;
  return BH_OK;
}

/* x -> a x + c modulo a power of 2 is one cycle for odd c and a = 1 modulo 4 (Hull and Dobell 1962); multiplied by an
 * odd number, its order has no stride. */
static bh_status calibrated_fill(void *state, void *const *region, uint32_t workers) {
  const calibrated_state *s = state;
  const uint64_t words = s->params.words, mask = words - 1, scatter = UINT64_C(0x9E3779B97F4A7C15);
  uint64_t *table = region[0], x = 1;
  (void)workers;
  if (s->params.kind != CHASE) {
    for (uint64_t k = 0; k < words; k++)
      table[k] = k * scatter ^ s->params.seed;
    return BH_OK;
  }
  for (uint64_t k = 0; k < words; k++) {
    const uint64_t next = (1664525 * x + 1013904223) & mask;
    table[x * scatter & mask] = next * scatter & mask;
    x = next;
  }
  return BH_OK;
}

static bh_status check_item(const calibrated_state *s, void *const *region, uint64_t item) {
  const uint64_t expected = do_item(&s->params, region[0], item), found = ((const uint64_t *)region[1])[item];
  if (found == expected)
    return BH_OK;
  return s->host->stop(s->host, BH_WRONG, "item %" PRIu64 ": expected %" PRIu64 ", found %" PRIu64, item, expected,
                       found);
}

/* Computes every tenth item anew. The count of executed items is the whole point of an injection. */
static bh_status calibrated_verify(void *state, void *const *region, uint32_t workers) {
  const calibrated_state *s = state;
  const uint64_t executed = *(const uint64_t *)region[2], items = s->loop.items;
  const uint32_t percent = inject.kind == s->params.kind && inject.workers == workers ? inject.percent : 0;
  bh_status status = items ? check_item(s, region, items - 1) : BH_OK;
  for (uint64_t i = 0; i < items && status == BH_OK; i += 10)
    status = check_item(s, region, i);
  if (status != BH_OK)
    return status;
  if (executed != items + added(items, percent))
    return s->host->stop(s->host, BH_WRONG, "expected %" PRIu64 " items executed, found %" PRIu64,
                         items + added(items, percent), executed);
  s->host->fact(s->host, "executed", "%" PRIu64, executed);
  return BH_OK;
}

static void calibrated_close(void *state) {
  free(state);
}

static const bh_param calibrated_table[] = {
    {.name = "kind", .type = BH_CHOICE, .fallback = "integer", .choices = KIND_NAMES, .help = "what the items do"},
    {.name = "items",
     .type = BH_INT,
     .fallback = "200",
     .unit = "items",
     .help = "a multiple of 100, so that whole percents are whole items",
     .min = 0,
     .max = 1e9},
    {.name = NULL}};

static const bh_workload calibrated_workload = {.size = sizeof(bh_workload),
                                                .open = calibrated_open,
                                                .fill = calibrated_fill,
                                                .verify = calibrated_verify,
                                                .close = calibrated_close};

const bh_plugin_info bh_plugin = {BH_PLUGIN_HEAD,
                                  .name = "calibrated",
                                  .version = "1",
                                  .summary = "ten kinds of work, one of which a build can slow by a known share",
                                  .params = calibrated_table,
                                  .workload = &calibrated_workload};
