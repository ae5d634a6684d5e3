/* SPDX-License-Identifier: MIT
 *
 * check-items - a workload that notices when a backend breaks the contract's promises on items: every index exactly
 * once, chunk edges, each role and split, ragged slices, TEMP and REDUCE between loops, fresh poison, dying workers.
 * Expected values are computed in verify from the index alone, never by the kernels' code.
 */
#include "expect.h"
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROLES, CHAIN, RAGGED, NOTHING, TIRED, DIE, WHOLE_OUT, DEVICE_ONLY, TWO_WRITERS, SEEN };
enum { P_CASE, P_N, P_MIN_CHUNK };
static const bh_param params[] = {{"case", BH_CHOICE, "roles",
                                   "roles|chain|ragged|nothing|tired|die|whole-out|device-only|two-writers|seen", NULL,
                                   "which promise is checked", 0, 0, NULL, NULL},
                                  {"n", BH_INT, "1000", NULL, "items", "items", 0, 1e9, NULL, NULL},
                                  {"min-chunk", BH_INT, "1", NULL, "items", "the loops' min_chunk", 0, 1e9, NULL, NULL},
                                  {NULL}};

typedef struct {
  uint64_t n, min_chunk;
} loop_params;

typedef struct {
  const bh_host *host;
  int which;
  uint32_t sample;
  loop_params params;
  bh_region regions[8];
  bh_use uses[3][BH_MAX_USES];
  bh_kernel kernels[3];
  bh_loop loops[3];
} check;

static uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
  x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
  return x ^ (x >> 31);
}

/* ---- Kernels ---- */

enum { R_IN, R_OUT, R_INOUT, R_SUM, R_SCRATCH, R_FAULTS, R_TABLE };
#define BONUS (UINT64_C(1) << 40)

static void roles_kernel(const bh_args *args, uint64_t begin, uint64_t end) {
  const loop_params *p = args->params;
  const uint64_t *in = args->region[R_IN], *table = args->region[R_TABLE];
  uint64_t *out = args->region[R_OUT], *inout = args->region[R_INOUT], *sum = args->region[R_SUM];
  uint64_t *scratch = args->region[R_SCRATCH], *faults = args->region[R_FAULTS];
  uint64_t grain = p->min_chunk ? p->min_chunk : 1;
  if (begin >= end || end > p->n || begin % grain || (end != p->n && (end - begin) % grain))
    faults[0]++;
  if (args->worker >= args->workers)
    faults[0]++;
  faults[1] = args->worker + 1;
  memset(scratch, 0xA5 + (int)args->worker, 256);
  for (uint64_t i = begin; i < end; i++) {
    out[i] = in[i] + table[i % 16];
    if (inout[i] < BONUS)
      inout[i] += BONUS;
    sum[0] += i;
    sum[1]++;
  }
  for (int i = 0; i < 256; i++)
    if (((unsigned char *)scratch)[i] != (unsigned char)(0xA5 + (int)args->worker))
      faults[0]++;
}

static void chain_first(const bh_args *args, uint64_t begin, uint64_t end) {
  uint64_t *temp = args->region[0], *sum = args->region[1];
  for (uint64_t i = begin; i < end; i++)
    temp[i] = mix(i), sum[0] ^= mix(i);
}
static void chain_second(const bh_args *args, uint64_t begin, uint64_t end) {
  const loop_params *p = args->params;
  const uint64_t *temp = args->region[0], *sum = args->region[1];
  uint64_t *out = args->region[2];
  for (uint64_t i = begin; i < end; i++)
    out[i] = temp[(i + 1) % p->n] + temp[(i + p->n / 2) % p->n] + sum[0];
}
static void chain_third(const bh_args *args, uint64_t begin, uint64_t end) {
  uint64_t *out = args->region[0];
  const uint64_t *temp = args->region[1];
  for (uint64_t i = begin; i < end; i++)
    out[i] ^= temp[i];
}

/* Item i has i % 7 words; they start after those of all items before. */
static uint64_t ragged_start(uint64_t i) {
  uint64_t r = i % 7;
  return i / 7 * 21 + r * (r - 1) / 2 * (r > 0);
}
static void ragged_slice(const void *unused, uint64_t begin, uint64_t end, uint64_t *ret_offset, uint64_t *ret_length) {
  (void)unused;
  *ret_offset = ragged_start(begin) * 8;
  *ret_length = (ragged_start(end) - ragged_start(begin)) * 8;
}
static void ragged_kernel(const bh_args *args, uint64_t begin, uint64_t end) {
  const uint64_t *in = args->region[0];
  uint64_t *out = args->region[1];
  for (uint64_t w = ragged_start(begin); w < ragged_start(end); w++)
    out[w] = in[w] * 3;
}

static void nothing_kernel(const bh_args *args, uint64_t begin, uint64_t end) {
  (void)args, (void)begin, (void)end;
}

static void tired_kernel(const bh_args *args, uint64_t begin, uint64_t end) {
  uint64_t *out = args->region[0];
  const uint64_t *sample = args->region[1];
  for (uint64_t i = begin; i < end; i++)
    if (sample[i] == 1)
      out[i] = mix(i);
}

/* The last worker dies at its first chunk; the others take their time, so that every schedule gives it one. */
static void die_kernel(const bh_args *args, uint64_t begin, uint64_t end) {
  struct timespec moment = {0, 2000000};
  (void)begin, (void)end;
  nanosleep(&moment, NULL);
  if (args->worker != args->workers - 1)
    return;
  signal(SIGSEGV, SIG_DFL);
  raise(SIGSEGV);
}

static void whole_kernel(const bh_args *args, uint64_t begin, uint64_t end) {
  uint64_t *out = args->region[0];
  for (uint64_t i = begin; i < end; i++)
    out[i] = mix(i);
}

static void first_half(const bh_args *args, uint64_t begin, uint64_t end) {
  uint64_t *out = args->region[0];
  for (uint64_t i = begin; i < end; i++)
    out[2 * i] = mix(i);
}
static void second_half(const bh_args *args, uint64_t begin, uint64_t end) {
  uint64_t *out = args->region[0];
  for (uint64_t i = begin; i < end; i++)
    out[2 * i + 1] = ~mix(i);
}

/* Each worker notes its items in its own part, so that noting them again changes nothing: the largest number, and which
 * remainders there were. The next loop's items read all parts. */
static void note_own(const bh_args *args, uint64_t begin, uint64_t end) {
  uint64_t *part = args->region[0];
  for (uint64_t i = begin; i < end; i++)
    part[0] = part[0] > mix(i) ? part[0] : mix(i), part[1] |= UINT64_C(1) << i % 64;
}
static void read_all(const bh_args *args, uint64_t begin, uint64_t end) {
  const uint64_t *parts = args->region[0];
  uint64_t *out = args->region[1], most = 0, seen = 0;
  for (uint32_t w = 0; w < args->workers; w++)
    most = most > parts[2 * w] ? most : parts[2 * w], seen |= parts[2 * w + 1];
  for (uint64_t i = begin; i < end; i++)
    out[i] = most + i * seen;
}

static void add_words(void *into, const void *part, uint64_t bytes) {
  for (uint64_t i = 0; i < bytes / 8; i++)
    ((uint64_t *)into)[i] += ((const uint64_t *)part)[i];
}
static void xor_words(void *into, const void *part, uint64_t bytes) {
  for (uint64_t i = 0; i < bytes / 8; i++)
    ((uint64_t *)into)[i] ^= ((const uint64_t *)part)[i];
}
static void ones(void *part, uint64_t bytes) {
  memset(part, 0xFF, bytes);
}

/* ---- The workload ---- */

static void add_loop(check *c, bh_problem *problem, bh_chunk host, const bh_use *uses, uint32_t n) {
  uint32_t k = problem->n_kernels++;
  memcpy(c->uses[k], uses, n * sizeof *uses);
  c->kernels[k] = (bh_kernel){.name = "check", .host = host, .uses = c->uses[k], .n_uses = n};
  c->loops[k] = (bh_loop){.kernel = k,
                          .items = c->params.n,
                          .min_chunk = c->params.min_chunk,
                          .params = &c->params,
                          .params_bytes = sizeof c->params};
  problem->n_loops++;
}

#define REGION(ROLE, SPLIT, BYTES, ...)                                                                                \
  (bh_region) {                                                                                                        \
    .name = #ROLE, .role = ROLE, .split = SPLIT, .dtype = BH_U64, .bytes = BYTES, __VA_ARGS__                          \
  }
#define ADD(REGIONS...)                                                                                                \
  do {                                                                                                                 \
    const bh_region list[] = {REGIONS};                                                                                \
    memcpy(c->regions, list, sizeof list);                                                                             \
    problem->n_regions = sizeof list / sizeof *list;                                                                   \
  } while (0)
#define LOOP(KERNEL, USES...)                                                                                          \
  do {                                                                                                                 \
    const bh_use list[] = {USES};                                                                                      \
    add_loop(c, problem, KERNEL, list, sizeof list / sizeof *list);                                                    \
  } while (0)

static void open_roles(check *c, bh_problem *problem) {
  uint64_t n = c->params.n;
  ADD(REGION(BH_IN, BH_WHOLE, n * 8), REGION(BH_OUT, BH_WHOLE, n * 8), REGION(BH_INOUT, BH_WHOLE, n * 8),
      REGION(BH_REDUCE, BH_WHOLE, 24, .combine = add_words), REGION(BH_SCRATCH, BH_WHOLE, 256),
      REGION(BH_INOUT, BH_BY_WORKER, 24), REGION(BH_IN, BH_WHOLE, 128));
  LOOP(roles_kernel, {R_IN, BH_IN, BH_BY_ITEM, 8}, {R_OUT, BH_OUT, BH_BY_ITEM, 8}, {R_INOUT, BH_INOUT, BH_BY_ITEM, 8},
       {R_SUM, BH_REDUCE}, {R_SCRATCH, BH_SCRATCH}, {R_FAULTS, BH_INOUT, BH_BY_WORKER}, {R_TABLE, BH_IN});
}

static void open_chain(check *c, bh_problem *problem) {
  uint64_t n = c->params.n;
  ADD(REGION(BH_TEMP, BH_WHOLE, n * 8), REGION(BH_REDUCE, BH_WHOLE, 8, .combine = xor_words),
      REGION(BH_OUT, BH_WHOLE, n * 8), REGION(BH_REDUCE, BH_WHOLE, 8, .combine = add_words, .identity = ones));
  LOOP(chain_first, {0, BH_OUT, BH_BY_ITEM, 8}, {1, BH_REDUCE});
  LOOP(chain_second, {0, BH_IN}, {1, BH_IN}, {2, BH_OUT, BH_BY_ITEM, 8});
  LOOP(chain_third, {2, BH_INOUT, BH_BY_ITEM, 8}, {0, BH_IN, BH_BY_ITEM, 8});
}

static bh_status check_open(const bh_host *h, const bh_value *values, bh_problem *problem, void **ret_state) {
  check *c = calloc(1, sizeof *c);
  if (!c)
    return h->stop(h, BH_OUT_OF_MEMORY, "no memory");
  c->host = h;
  c->which = (int)values[P_CASE].i;
  c->params = (loop_params){(uint64_t)values[P_N].i, (uint64_t)values[P_MIN_CHUNK].i};
  uint64_t bytes = c->params.n * 8, ragged = ragged_start(c->params.n) * 8;
  problem->regions = c->regions;
  problem->kernels = c->kernels;
  problem->loops = c->loops;
  switch (c->which) {
  case ROLES:
    open_roles(c, problem);
    break;
  case CHAIN:
    open_chain(c, problem);
    break;
  case RAGGED:
    ADD(REGION(BH_IN, BH_WHOLE, ragged), REGION(BH_OUT, BH_WHOLE, ragged));
    LOOP(ragged_kernel, {0, BH_IN, BH_BY_ITEM, 0, ragged_slice}, {1, BH_OUT, BH_BY_ITEM, 0, ragged_slice});
    break;
  case TIRED:
    ADD(REGION(BH_OUT, BH_WHOLE, bytes), REGION(BH_INOUT, BH_WHOLE, bytes));
    LOOP(tired_kernel, {0, BH_OUT, BH_BY_ITEM, 8}, {1, BH_INOUT, BH_BY_ITEM, 8});
    break;
  case WHOLE_OUT:
    ADD(REGION(BH_OUT, BH_WHOLE, bytes));
    LOOP(whole_kernel, {0, BH_OUT, BH_WHOLE});
    break;
  case TWO_WRITERS:
    ADD(REGION(BH_OUT, BH_WHOLE, 2 * bytes));
    LOOP(first_half, {0, BH_OUT, BH_BY_ITEM, 16});
    LOOP(second_half, {0, BH_OUT, BH_BY_ITEM, 16});
    break;
  case SEEN:
    ADD(REGION(BH_INOUT, BH_BY_WORKER, 16), REGION(BH_OUT, BH_WHOLE, bytes));
    LOOP(note_own, {0, BH_INOUT, BH_BY_WORKER});
    LOOP(read_all, {0, BH_IN, BH_WHOLE}, {1, BH_OUT, BH_BY_ITEM, 8});
    break;
  default:
    ADD(REGION(BH_OUT, BH_WHOLE, bytes));
    LOOP(c->which == DIE ? die_kernel : c->which == NOTHING ? nothing_kernel : NULL, {0, BH_OUT, BH_BY_ITEM, 8});
  }
  *ret_state = c;
  return BH_OK;
}

static bh_status check_fill(void *state, void *const *region, uint32_t workers) {
  check *c = state;
  uint64_t n = c->params.n;
  if (c->which == ROLES) {
    for (uint64_t i = 0; i < n; i++)
      ((uint64_t *)region[R_IN])[i] = mix(i), ((uint64_t *)region[R_INOUT])[i] = i;
    for (uint64_t i = 0; i < 16; i++)
      ((uint64_t *)region[R_TABLE])[i] = i * i;
    memset(region[R_FAULTS], 0, 24 * workers);
  }
  if (c->which == SEEN)
    memset(region[0], 0, 16 * workers);
  if (c->which == RAGGED)
    for (uint64_t w = 0; w < ragged_start(n); w++)
      ((uint64_t *)region[0])[w] = mix(w);
  if (c->which == TIRED)
    for (uint64_t i = 0; i < n; i++)
      ((uint64_t *)region[1])[i] = c->sample;
  return BH_OK;
}

static bh_status check_prepare(void *state) {
  ((check *)state)->sample++;
  return BH_OK;
}

static bh_status verify_roles(check *c, void *const *region, uint32_t workers) {
  uint64_t n = c->params.n;
  const uint64_t *out = region[R_OUT], *inout = region[R_INOUT], *sum = region[R_SUM], *faults = region[R_FAULTS];
  for (uint64_t i = 0; i < n; i++) {
    EXPECT("out", i, out[i], mix(i) + i % 16 * (i % 16));
    EXPECT("inout", i, inout[i], i + BONUS);
  }
  EXPECT("sum", 0, sum[0], n ? n * (n - 1) / 2 : 0);
  EXPECT("count", 1, sum[1], n);
  EXPECT("unused sum", 2, sum[2], 0);
  uint64_t seen = 0;
  for (uint32_t w = 0; w < workers; w++) {
    EXPECT("chunk faults of worker", w, faults[3 * w], 0);
    if (faults[3 * w + 1])
      EXPECT("worker number in part", w, faults[3 * w + 1], w + 1);
    seen += faults[3 * w + 1] != 0;
  }
  EXPECT("somebody worked", 0, seen > 0, n > 0);
  return BH_OK;
}

static bh_status verify_seen(check *c, const uint64_t *out) {
  uint64_t n = c->params.n, most = 0;
  for (uint64_t i = 0; i < n; i++)
    most = most > mix(i) ? most : mix(i);
  for (uint64_t i = 0; i < n; i++)
    EXPECT("all parts", i, out[i], most + i * (n < 64 ? (UINT64_C(1) << n) - 1 : UINT64_MAX));
  return BH_OK;
}

static bh_status check_verify(void *state, void *const *region, uint32_t workers) {
  check *c = state;
  uint64_t n = c->params.n, all = 0;
  const uint64_t *out = c->which == CHAIN ? region[2] : region[0];
  if (c->which == ROLES)
    return verify_roles(c, region, workers);
  if (c->which == SEEN)
    return verify_seen(c, region[1]);
  for (uint64_t i = 0; i < n; i++)
    all ^= mix(i);
  if (c->which == CHAIN && n)
    EXPECT("xor", 0, *(uint64_t *)region[1], all);
  if (c->which == RAGGED)
    for (uint64_t w = 0; w < ragged_start(n); w++)
      EXPECT("ragged", w, ((uint64_t *)region[1])[w], mix(w) * 3);
  for (uint64_t i = 0; i < n && c->which == TWO_WRITERS; i++) {
    EXPECT("first writer's", i, out[2 * i], mix(i));
    EXPECT("second writer's", i, out[2 * i + 1], ~mix(i));
  }
  for (uint64_t i = 0; i < n && c->which != RAGGED && c->which != TWO_WRITERS; i++)
    EXPECT("out", i, out[i], c->which == CHAIN ? (mix((i + 1) % n) + mix((i + n / 2) % n) + all) ^ mix(i) : mix(i));
  return BH_OK;
}

static const bh_workload workload = {
    .size = sizeof workload,
    .open = check_open,
    .fill = check_fill,
    .prepare = check_prepare,
    .verify = check_verify,
    .close = free,
};

const bh_plugin_info bh_plugin = {
    BH_PLUGIN_HEAD,   .name = "check-items",
    .version = "1.0", .summary = "notices when a backend breaks the contract on items",
    .params = params, .workload = &workload,
};
