/* SPDX-License-Identifier: MIT
 *
 * check-device - what check-items and check-team are to backends of the host, for all that run benchhost/kernel.h:
 * every form of kernel, every role and split, several loops, teams whose loops run on devices. Expected values are
 * computed in verify from the index alone.
 */
#include "check-device.k.h"
#include "check-device.k.inc"
#include "expect.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
  ROLES,
  CHAIN,
  RAGGED,
  CHUNKS,
  REDUCE,
  GROUPS,
  WORKER,
  SEEN, /* and all parts by the next loop */
  NOTHING,
  TIRED,
  WHOLE_OUT,
  TWO_WRITERS,
  BROKEN,
  NO_ENTRY,
  RACY,
  TEAM
};
enum { P_CASE, P_N, P_MIN_CHUNK };
static const bh_param params[] = {{"case", BH_CHOICE, "roles",
                                   "roles|chain|ragged|chunks|reduce|groups|worker|seen|nothing|tired|whole-out|two-"
                                   "writers|broken|no-entry|racy|team",
                                   NULL, "which promise is checked", 0, 0, NULL, NULL},
                                  {"n", BH_INT, "1000", NULL, "items", "items", 0, 1e9, NULL, NULL},
                                  {"min-chunk", BH_INT, "1", NULL, "items", "the loops' min_chunk", 0, 1e9, NULL, NULL},
                                  {NULL}};

typedef struct {
  const bh_host *host;
  int which;
  uint64_t n, sample;
  check_params params[3];
  bh_region regions[6];
  bh_use uses[3][BH_KERNEL_USES], body[2];
  bh_kernel kernels[3];
  bh_loop loops[3];
} check;

static void add_words(void *into, const void *part, uint64_t bytes) {
  for (uint64_t i = 0; i < bytes / 8; i++)
    ((uint64_t *)into)[i] += ((const uint64_t *)part)[i];
}
static void xor_words(void *into, const void *part, uint64_t bytes) {
  for (uint64_t i = 0; i < bytes / 8; i++)
    ((uint64_t *)into)[i] ^= ((const uint64_t *)part)[i];
}
static void range_start(void *part, uint64_t bytes) {
  (void)bytes;
  check_range_start(part);
}
static void range_join(void *into, const void *part, uint64_t bytes) {
  (void)bytes;
  check_range_join(into, part);
}

/* ---- The workload ---- */

static void add_loop(check *c, bh_problem *problem, bh_kernel kernel, uint64_t salt, const bh_use *uses, uint32_t n) {
  uint32_t k = problem->n_kernels++;
  memcpy(c->uses[k], uses, n * sizeof *uses);
  c->kernels[k] = kernel;
  c->kernels[k].name = kernel.entry;
  c->kernels[k].uses = c->uses[k];
  c->kernels[k].n_uses = n;
  c->params[k].salt = salt;
  c->loops[k] = (bh_loop){.kernel = k,
                          .items = c->n,
                          .min_chunk = c->params[k].grain == 1 ? 0 : c->params[k].grain,
                          .params = &c->params[k],
                          .params_bytes = sizeof c->params[k]};
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
#define LOOP(KERNEL, SALT, USES...)                                                                                    \
  do {                                                                                                                 \
    const bh_use list[] = {USES};                                                                                      \
    add_loop(c, problem, (bh_kernel){BH_KERNEL_DEVICE(KERNEL, check_device_source)}, SALT, list,                       \
             sizeof list / sizeof *list);                                                                              \
  } while (0)

static void ragged_slice(const void *unused, uint64_t begin, uint64_t end, uint64_t *ret_offset, uint64_t *ret_length) {
  (void)unused;
  *ret_offset = check_ragged_start(begin) * 8;
  *ret_length = (check_ragged_start(end) - check_ragged_start(begin)) * 8;
}

/* ---- Team ---- */

#define STEPS 3

/* The body looks at its own part, at what another member's kernel wrote, and never at the weights. */
static bh_status member(const void *state, bh_team *team, const bh_args *args) {
  const check *c = state;
  uint64_t *mine = args->region[0], begin = c->n * team->rank / team->size, end = c->n * (team->rank + 1) / team->size;
  const uint64_t *shared = args->region[1];
  check_params p = c->params[1];
  bh_status status = team->run(team, 0, 0, c->n, NULL);
  for (uint64_t step = 1; step <= STEPS && status == BH_OK; step++) {
    p.salt = step * (team->rank + 1);
    status = team->run(team, 1, 0, c->n, &p);
  }
  if (status == BH_OK)
    status = team->run(team, 2, 0, c->n, NULL);
  for (uint64_t i = begin; i < end; i++)
    ((uint64_t *)args->region[1])[i] = mine[i];
  if (status == BH_OK)
    status = team->barrier(team);
  if (status == BH_OK && c->n)
    mine[0] += shared[end % c->n];
  return status;
}

static uint64_t weight(uint64_t i, uint64_t rank) {
  return (STEPS + 1) * check_mix(i) + 7 + (rank + 1) * STEPS * (STEPS + 1) / 2;
}

static void open_team(check *c, bh_problem *problem) {
  uint64_t bytes = c->n * 8;
  ADD(REGION(BH_OUT, BH_BY_WORKER, bytes), REGION(BH_OUT, BH_WHOLE, bytes), REGION(BH_TEMP, BH_BY_WORKER, bytes),
      REGION(BH_IN, BH_WHOLE, bytes), REGION(BH_REDUCE, BH_WHOLE, 8, .combine = add_words));
  LOOP(check_set, 7, {2, BH_OUT, BH_BY_WORKER}, {3, BH_IN});
  LOOP(check_step, 0, {2, BH_INOUT, BH_BY_WORKER}, {3, BH_IN}, {4, BH_REDUCE});
  LOOP(check_show, 0, {2, BH_IN, BH_BY_WORKER}, {0, BH_OUT, BH_BY_WORKER});
  c->body[0] = (bh_use){0, BH_INOUT, BH_BY_WORKER};
  c->body[1] = (bh_use){1, BH_OUT, BH_WHOLE};
  problem->uses = c->body;
  problem->n_uses = 2;
  problem->member = member;
}

static void open_items(check *c, bh_problem *problem) {
  uint64_t bytes = c->n * 8, ragged = check_ragged_start(c->n) * 8;
  switch (c->which) {
  case ROLES:
    ADD(REGION(BH_IN, BH_WHOLE, bytes), REGION(BH_OUT, BH_WHOLE, bytes), REGION(BH_INOUT, BH_WHOLE, bytes),
        REGION(BH_REDUCE, BH_WHOLE, 24, .combine = add_words), REGION(BH_SCRATCH, BH_WHOLE, 256),
        REGION(BH_IN, BH_WHOLE, 128));
    LOOP(check_roles, 3, {0, BH_IN, BH_BY_ITEM, 8}, {1, BH_OUT, BH_BY_ITEM, 8}, {2, BH_INOUT, BH_BY_ITEM, 8},
         {3, BH_REDUCE}, {4, BH_SCRATCH}, {5, BH_IN});
    break;
  case CHAIN:
    ADD(REGION(BH_TEMP, BH_WHOLE, bytes), REGION(BH_REDUCE, BH_WHOLE, 8, .combine = xor_words),
        REGION(BH_OUT, BH_WHOLE, bytes));
    LOOP(check_first, 0, {0, BH_OUT, BH_BY_ITEM, 8}, {1, BH_REDUCE});
    LOOP(check_second, 0, {0, BH_IN}, {1, BH_IN}, {2, BH_OUT, BH_BY_ITEM, 8});
    LOOP(check_third, 0, {2, BH_INOUT, BH_BY_ITEM, 8}, {0, BH_IN, BH_BY_ITEM, 8});
    break;
  case RAGGED:
    ADD(REGION(BH_IN, BH_WHOLE, ragged), REGION(BH_OUT, BH_WHOLE, ragged));
    LOOP(check_ragged, 0, {0, BH_IN, BH_BY_ITEM, 0, ragged_slice}, {1, BH_OUT, BH_BY_ITEM, 0, ragged_slice});
    break;
  case REDUCE:
    ADD(REGION(BH_REDUCE, BH_WHOLE, sizeof(check_range), .identity = range_start, .combine = range_join),
        REGION(BH_IN, BH_WHOLE, bytes));
    LOOP(check_reduce, 0, {0, BH_REDUCE}, {1, BH_IN, BH_BY_ITEM, 8});
    break;
  case WORKER:
    ADD(REGION(BH_INOUT, BH_BY_WORKER, 256), REGION(BH_IN, BH_WHOLE, 24));
    LOOP(check_worker, 0, {0, BH_INOUT, BH_BY_WORKER}, {1, BH_IN});
    break;
  case SEEN:
    ADD(REGION(BH_INOUT, BH_BY_WORKER, 256), REGION(BH_IN, BH_WHOLE, 24), REGION(BH_OUT, BH_WHOLE, bytes));
    LOOP(check_worker, 0, {0, BH_INOUT, BH_BY_WORKER}, {1, BH_IN});
    LOOP(check_seen, 0, {0, BH_IN, BH_WHOLE}, {2, BH_OUT, BH_BY_ITEM, 8});
    break;
  case TIRED:
    ADD(REGION(BH_OUT, BH_WHOLE, bytes), REGION(BH_INOUT, BH_WHOLE, bytes));
    LOOP(check_tired, 0, {0, BH_OUT, BH_BY_ITEM, 8}, {1, BH_INOUT, BH_BY_ITEM, 8});
    break;
  case TWO_WRITERS:
    ADD(REGION(BH_OUT, BH_WHOLE, 2 * bytes));
    LOOP(check_halves, 0, {0, BH_OUT, BH_BY_ITEM, 16});
    LOOP(check_halves, 1, {0, BH_OUT, BH_BY_ITEM, 16});
    break;
  case CHUNKS:
  case GROUPS:
  case NOTHING:
  default:
    ADD(REGION(BH_OUT, BH_WHOLE, bytes));
    if (c->which == CHUNKS)
      LOOP(check_chunks, 0, {0, BH_OUT, BH_BY_ITEM, 8});
    else if (c->which == GROUPS)
      LOOP(check_groups, 0, {0, BH_OUT, BH_BY_ITEM, 8});
    else if (c->which == RACY)
      LOOP(check_racy, 0, {0, BH_OUT, BH_BY_ITEM, 8});
    else if (c->which == NOTHING)
      LOOP(check_idle, 0, {0, BH_OUT, BH_BY_ITEM, 8});
    else
      LOOP(check_word, 0, {0, BH_OUT, c->which == WHOLE_OUT ? BH_WHOLE : BH_BY_ITEM, 8});
  }
}

static bh_status check_open(const bh_host *h, const bh_value *values, bh_problem *problem, void **ret_state) {
  static const char broken[] = "this is no kernel\n";
  check *c = calloc(1, sizeof *c);
  if (!c)
    return h->stop(h, BH_OUT_OF_MEMORY, "no memory");
  c->host = h;
  c->which = (int)values[P_CASE].i;
  c->n = (uint64_t)values[P_N].i;
  for (int k = 0; k < 3; k++)
    c->params[k] = (check_params){.n = c->n, .grain = values[P_MIN_CHUNK].i ? (uint64_t)values[P_MIN_CHUNK].i : 1};
  problem->regions = c->regions;
  problem->kernels = c->kernels;
  problem->loops = c->loops;
  if (c->which == TEAM)
    open_team(c, problem);
  else
    open_items(c, problem);
  if (c->which == BROKEN) {
    c->kernels[0].source = broken;
    c->kernels[0].source_bytes = sizeof broken - 1;
  }
  if (c->which == NO_ENTRY)
    c->kernels[0].entry = "check_nowhere";
  *ret_state = c;
  return BH_OK;
}

/* ---- Inputs ---- */

static void fill_words(uint64_t *words, uint64_t n) {
  for (uint64_t i = 0; i < n; i++)
    words[i] = check_mix(i);
}

static bh_status check_fill(void *state, void *const *region, uint32_t workers) {
  check *c = state;
  if (c->which == ROLES) {
    fill_words(region[0], c->n);
    for (uint64_t i = 0; i < c->n; i++)
      ((uint64_t *)region[2])[i] = i;
    for (uint64_t i = 0; i < 16; i++)
      ((uint64_t *)region[5])[i] = i * i;
  }
  if (c->which == RAGGED)
    fill_words(region[0], check_ragged_start(c->n));
  if (c->which == REDUCE)
    fill_words(region[1], c->n);
  if (c->which == TEAM)
    fill_words(region[3], c->n);
  if (c->which == WORKER || c->which == SEEN) {
    memset(region[0], 0, 256 * (size_t)workers);
    ((uint64_t *)region[1])[2] = 5;
  }
  for (uint64_t i = 0; i < c->n && c->which == TIRED; i++)
    ((uint64_t *)region[1])[i] = c->sample;
  return BH_OK;
}

static bh_status check_prepare(void *state) {
  ((check *)state)->sample++;
  return BH_OK;
}

/* ---- Verification ---- */

static bh_status verify_roles(check *c, void *const *region) {
  const uint64_t *out = region[1], *inout = region[2], *sum = region[3];
  for (uint64_t i = 0; i < c->n; i++) {
    EXPECT("out", i, out[i], check_mix(i) + i % 16 * (i % 16) + 3);
    EXPECT("inout", i, inout[i], i + CHECK_BONUS);
  }
  EXPECT("sum", 0, sum[0], c->n ? c->n * (c->n - 1) / 2 : 0);
  EXPECT("count", 1, sum[1], c->n);
  EXPECT("unused sum", 2, sum[2], 0);
  return BH_OK;
}

static bh_status verify_chain(check *c, void *const *region) {
  const uint64_t *out = region[2], n = c->n;
  uint64_t all = 0;
  for (uint64_t i = 0; i < n; i++)
    all ^= check_mix(i);
  EXPECT("xor", 0, *(uint64_t *)region[1], all);
  for (uint64_t i = 0; i < n; i++)
    EXPECT("out", i, out[i], (check_mix((i + 1) % n) + check_mix((i + n / 2) % n) + all) ^ check_mix(i));
  return BH_OK;
}

static bh_status verify_reduce(check *c, void *const *region) {
  const check_range *found = region[0];
  uint64_t least = UINT64_MAX, most = 0, sum = 0;
  for (uint64_t i = 0; i < c->n; i++) {
    uint64_t x = check_mix(i);
    least = x < least ? x : least;
    most = x > most ? x : most;
    sum += x;
  }
  EXPECT("least", 0, found->least, least);
  EXPECT("most", 0, found->most, most);
  EXPECT("sum", 0, found->sum, sum);
  EXPECT("count", 0, found->count, c->n);
  return BH_OK;
}

/* Runs are not restored between samples here: the sums are whole multiples of one run's. */
static bh_status verify_worker(check *c, void *const *region, uint32_t workers) {
  const uint64_t *parts = region[0];
  uint64_t count = 0, sum = 0, one = c->n ? c->n * (c->n - 1) / 2 + 5 * c->n : 0;
  for (uint32_t w = 0; w < workers; w++) {
    count += parts[32 * w];
    sum += parts[32 * w + 1];
    EXPECT("unused word of worker", w, parts[32 * w + 2], 0);
  }
  uint64_t runs = c->n ? count / c->n : 0;
  EXPECT("count", 0, count, runs * c->n);
  EXPECT("sum", 0, sum, runs * one);
  EXPECT("it ran", 0, runs > 0, c->n > 0);
  for (uint64_t i = 0; i < c->n && c->which == SEEN; i++)
    EXPECT("the first part, as seen by item", i, ((uint64_t *)region[2])[i], parts[0] + i);
  return BH_OK;
}

static bh_status verify_team(check *c, void *const *region, uint32_t workers) {
  const uint64_t *mine = region[0], *shared = region[1];
  uint64_t sum = 0, n = c->n;
  for (uint64_t rank = 0; rank < workers; rank++) {
    uint64_t begin = n * rank / workers, end = n * (rank + 1) / workers, next = n ? end % n : 0, owner = 0;
    while (n && next >= n * (owner + 1) / workers)
      owner++;
    for (uint64_t i = 0; i < n; i++)
      EXPECT("own weight", i, mine[rank * n + i], weight(i, rank) + (i ? 0 : weight(next, owner)));
    for (uint64_t i = begin; i < end; i++)
      EXPECT("shared weight", i, shared[i], weight(i, rank));
    sum += n * (rank + 1) * STEPS * (STEPS + 1) / 2;
  }
  EXPECT("sum of steps", 0, *(uint64_t *)region[4], sum);
  return BH_OK;
}

static uint64_t group_sum(uint64_t i) {
  uint64_t sum = 0;
  for (uint64_t t = 0; t < CHECK_LANES; t++)
    sum += check_mix(i * CHECK_LANES + t) + t;
  return sum;
}

static bh_status check_verify(void *state, void *const *region, uint32_t workers) {
  check *c = state;
  switch (c->which) {
  case ROLES:
    return verify_roles(c, region);
  case CHAIN:
    return verify_chain(c, region);
  case REDUCE:
    return verify_reduce(c, region);
  case WORKER:
  case SEEN:
    return verify_worker(c, region, workers);
  case TEAM:
    return verify_team(c, region, workers);
  default:
    break;
  }
  const uint64_t *out = region[c->which == RAGGED];
  uint64_t words = c->which == RAGGED ? check_ragged_start(c->n) : c->which == TWO_WRITERS ? 2 * c->n : c->n;
  for (uint64_t i = 0; i < words; i++)
    EXPECT("out", i, out[i], c->which == GROUPS ? group_sum(i) : c->which == RAGGED ? check_mix(i) * 3 : check_mix(i));
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
    BH_PLUGIN_HEAD,   .name = "check-device",
    .version = "1.0", .summary = "notices when a backend breaks the contract on kernels that run everywhere",
    .params = params, .workload = &workload,
};
