/* SPDX-License-Identifier: MIT
 * Owns the items exercise: two loops over regions of every role and split. The team's body is in exercise-team.c. */
#include "check/exercise-private.h"
#include "worker/poison.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { R_BASE, R_IN, R_OUT, R_RAGGED, R_COUNT, R_SUM, R_OWN, R_SCRATCH, R_TEMP, R_BACK, N_REGIONS };
enum { BASE_WORDS = 16, SUM_WORDS = 4, OWN_WORDS = 8, SCRATCH_WORDS = 32 };
enum { SUM_TOTAL, SUM_LEAST, SUM_FAULTS, SUM_PARTS };        /* words of R_SUM */
enum { OWN_BUSY, OWN_ITEMS, OWN_CLASHES, OWN_ID, OWN_SIZE }; /* words of one worker's R_OWN */
enum {
  FAULT_EMPTY = 1,
  FAULT_END = 2,
  FAULT_START = 4,
  FAULT_SMALL = 8,
  FAULT_WORKER = 16,
  FAULT_SCRATCH = 32,
  FAULT_PARAMS = 64,
  FAULT_INPUT = 128,
  FAULT_BASE = 256
};
#define IDLE (G_GUINT64_CONSTANT(1) << 63) /* in R_COUNT: leave this item alone */
#define MAGIC G_GUINT64_CONSTANT(0x6578657263697365)

typedef struct {
  guint64 magic, items, min_chunk;
  gint64 host_pid; /* BH_EXERCISE_DEATH */
} Params;

struct BhExercise {
  BhExerciseKind kind;
  bh_problem problem;
  bh_region regions[N_REGIONS];
  bh_kernel kernels[2];
  bh_loop loops[2];
  Params params;
  BhExerciseTeam team;
};

static guint64 input_at(guint64 i) {
  return bh_poison_word(11, i) >> 8;
}

static guint64 base_at(guint64 k) {
  return bh_poison_word(12, k) >> 8;
}

static guint64 count_at(guint64 i) {
  return 1000 + i;
}

static guint64 temp_at(guint64 i) {
  return input_at(i) ^ base_at(i % BASE_WORDS);
}

/* Item i owns i % 4 words: some own none. */
static guint64 ragged_start(guint64 i) {
  static const guint64 before[] = {0, 0, 1, 3};
  return 6 * (i / 4) + before[i % 4];
}

static void ragged_slice(const void *params, uint64_t begin, uint64_t end, uint64_t *ret_offset, uint64_t *ret_length) {
  (void)params;
  *ret_offset = 8 * ragged_start(begin);
  *ret_length = 8 * (ragged_start(end) - ragged_start(begin));
}

static void sum_identity(void *part, uint64_t bytes) {
  guint64 *sum = part;
  memset(sum, 0, bytes);
  sum[SUM_LEAST] = G_MAXUINT64; /* an identity that is not all zeros */
}

static void sum_combine(void *into_, const void *part_, uint64_t bytes) {
  guint64 *into = into_;
  const guint64 *part = part_;
  into[SUM_TOTAL] += part[SUM_TOTAL];
  into[SUM_LEAST] = MIN(into[SUM_LEAST], part[SUM_LEAST]);
  into[SUM_FAULTS] |= part[SUM_FAULTS] | (bytes == SUM_WORDS * 8 ? 0 : FAULT_PARAMS);
  into[SUM_PARTS] += part[SUM_PARTS];
}

static guint64 chunk_faults(const bh_args *args, const Params *p, guint64 begin, guint64 end) {
  guint64 faults = p->magic == MAGIC ? 0 : FAULT_PARAMS;
  faults |= begin >= end ? FAULT_EMPTY : 0;
  faults |= end > p->items ? FAULT_END : 0;
  faults |= begin % p->min_chunk ? FAULT_START : 0;
  faults |= end - begin < p->min_chunk && end != p->items ? FAULT_SMALL : 0;
  faults |= args->worker >= args->workers ? FAULT_WORKER : 0;
  return faults;
}

/* Two chunks with the same worker's part at the same time would see each other here. */
static guint64 use_scratch(guint64 *scratch, guint64 mark) {
  for (guint i = 0; i < SCRATCH_WORDS; i++)
    ((volatile guint64 *)scratch)[i] = mark + i;
  sched_yield();
  for (guint i = 0; i < SCRATCH_WORDS; i++)
    if (((volatile guint64 *)scratch)[i] != mark + i)
      return FAULT_SCRATCH;
  return 0;
}

static void visit(const bh_args *args, uint64_t begin, uint64_t end) {
  const Params *p = args->params;
  const guint64 *base = args->region[0], *in = args->region[1];
  guint64 *out = args->region[2], *ragged = args->region[3], *count = args->region[4], *sum = args->region[5];
  guint64 *own = args->region[6], *temp = args->region[8];
  if (p->host_pid && getpid() != (pid_t)p->host_pid)
    raise(SIGKILL);
  guint64 faults = chunk_faults(args, p, begin, end);
  if (atomic_exchange((_Atomic guint64 *)&own[OWN_BUSY], 1))
    own[OWN_CLASHES]++;
  faults |= use_scratch(args->region[7], begin * 1000003 + args->worker);
  for (guint64 k = 0; k < BASE_WORDS; k++)
    faults |= base[k] == base_at(k) ? 0 : FAULT_BASE;
  for (guint64 i = begin; i < end && i < p->items; i++) {
    faults |= in[i] == input_at(i) ? 0 : FAULT_INPUT;
    own[OWN_ITEMS]++;
    if (count[i] & IDLE)
      continue;
    out[2 * i] = in[i] + 1;
    out[2 * i + 1] = base[i % BASE_WORDS] + i;
    for (guint64 w = ragged_start(i); w < ragged_start(i + 1); w++)
      ragged[w] = 7 * w + i;
    count[i]++;
    temp[i] = in[i] ^ base[i % BASE_WORDS];
    sum[SUM_TOTAL] += i + 1;
    sum[SUM_LEAST] = MIN(sum[SUM_LEAST], i);
  }
  sum[SUM_FAULTS] |= faults;
  sum[SUM_PARTS]++;
  own[OWN_ID] = args->worker + 1;
  own[OWN_SIZE] = args->workers;
  atomic_store((_Atomic guint64 *)&own[OWN_BUSY], 0);
}

/* Reads what other workers wrote in the loop before: right only if that loop was joined first. */
static void read_back(const bh_args *args, uint64_t begin, uint64_t end) {
  const Params *p = args->params;
  const guint64 *temp = args->region[0], *count = args->region[2];
  guint64 *back = args->region[1];
  for (guint64 i = begin; i < end && i < p->items; i++)
    if (!(count[i] & IDLE))
      back[i] = temp[p->items - 1 - i] + 1;
}

static const bh_use visit_uses[] = {
    {R_BASE, BH_IN, BH_WHOLE, 0, NULL},       {R_IN, BH_IN, BH_BY_ITEM, 8, NULL},
    {R_OUT, BH_OUT, BH_BY_ITEM, 16, NULL},    {R_RAGGED, BH_OUT, BH_BY_ITEM, 0, ragged_slice},
    {R_COUNT, BH_INOUT, BH_BY_ITEM, 8, NULL}, {R_SUM, BH_REDUCE, BH_WHOLE, 0, NULL},
    {R_OWN, BH_INOUT, BH_BY_WORKER, 0, NULL}, {R_SCRATCH, BH_SCRATCH, BH_BY_WORKER, 0, NULL},
    {R_TEMP, BH_OUT, BH_BY_ITEM, 8, NULL},
};
static const bh_use back_uses[] = {
    {R_TEMP, BH_IN, BH_WHOLE, 0, NULL}, {R_BACK, BH_OUT, BH_BY_ITEM, 8, NULL}, {R_COUNT, BH_IN, BH_BY_ITEM, 8, NULL}};

static bh_region region(const char *name, bh_role role, bh_split split, guint64 bytes) {
  return (bh_region){.name = name, .role = role, .split = split, .dtype = BH_U64, .bytes = bytes};
}

static void plan_items(BhExercise *e, guint64 n, guint64 min_chunk) {
  e->regions[R_BASE] = region("base", BH_IN, BH_WHOLE, BASE_WORDS * 8);
  e->regions[R_IN] = region("in", BH_IN, BH_WHOLE, n * 8);
  e->regions[R_OUT] = region("out", BH_OUT, BH_WHOLE, n * 16);
  e->regions[R_RAGGED] = region("ragged", BH_OUT, BH_WHOLE, 8 * ragged_start(n));
  e->regions[R_COUNT] = region("count", BH_INOUT, BH_WHOLE, n * 8);
  e->regions[R_SUM] = region("sum", BH_REDUCE, BH_WHOLE, SUM_WORDS * 8);
  e->regions[R_SUM].identity = sum_identity;
  e->regions[R_SUM].combine = sum_combine;
  e->regions[R_OWN] = region("own", BH_INOUT, BH_BY_WORKER, OWN_WORDS * 8);
  e->regions[R_SCRATCH] = region("scratch", BH_SCRATCH, BH_BY_WORKER, SCRATCH_WORDS * 8);
  e->regions[R_TEMP] = region("temp", BH_TEMP, BH_WHOLE, n * 8);
  e->regions[R_BACK] = region("back", BH_OUT, BH_WHOLE, n * 8);
  e->kernels[0] = (bh_kernel){.name = "visit", .host = visit, .uses = visit_uses, .n_uses = G_N_ELEMENTS(visit_uses)};
  e->kernels[1] =
      (bh_kernel){.name = "read back", .host = read_back, .uses = back_uses, .n_uses = G_N_ELEMENTS(back_uses)};
  for (guint l = 0; l < 2; l++)
    e->loops[l] = (bh_loop){.kernel = l,
                            .items = n,
                            .min_chunk = min_chunk,
                            .uneven = l,
                            .params = &e->params,
                            .params_bytes = sizeof e->params};
  e->problem = (bh_problem){.size = sizeof e->problem,
                            .regions = e->regions,
                            .kernels = e->kernels,
                            .loops = e->loops,
                            .n_regions = N_REGIONS,
                            .n_kernels = 2,
                            .n_loops = 2,
                            .items = (double)n};
}

BhExercise *bh_exercise_new(BhExerciseKind kind, guint64 items, guint64 min_chunk) {
  BhExercise *e = g_new0(BhExercise, 1);
  e->kind = kind;
  e->params = (Params){MAGIC, items, min_chunk, kind == BH_EXERCISE_DEATH ? getpid() : 0};
  if (kind == BH_EXERCISE_TEAM || kind == BH_EXERCISE_TEAM_FAILS)
    bh_exercise_team_plan(&e->team, &e->problem, kind == BH_EXERCISE_TEAM_FAILS);
  else
    plan_items(e, items, min_chunk);
  return e;
}

void bh_exercise_free(BhExercise *e) {
  if (!e)
    return;
  bh_exercise_team_clear(&e->team);
  g_free(e);
}

const bh_problem *bh_exercise_problem(const BhExercise *e) {
  return &e->problem;
}

const void *bh_exercise_state(const BhExercise *e) {
  return &e->team;
}

static gboolean is_team(const BhExercise *e) {
  return e->problem.member != NULL;
}

void bh_exercise_fill(BhExercise *e, void *const *region_, guint workers, gboolean idle) {
  if (is_team(e))
    return;
  guint64 *base = region_[R_BASE], *in = region_[R_IN], *count = region_[R_COUNT];
  for (guint64 k = 0; k < BASE_WORDS; k++)
    base[k] = base_at(k);
  for (guint64 i = 0; i < e->params.items; i++) {
    in[i] = input_at(i);
    count[i] = count_at(i) | (idle ? IDLE : 0);
  }
  memset(region_[R_OWN], 0, (gsize)workers * OWN_WORDS * 8);
}

static char *describe_faults(guint64 faults) {
  static const char *const texts[] = {"a kernel was called with begin >= end",
                                      "a kernel was called beyond the last item",
                                      "a chunk does not start at a multiple of min_chunk",
                                      "a chunk is smaller than min_chunk and not the last",
                                      "args->worker is not below args->workers",
                                      "two chunks used the same SCRATCH at once",
                                      "a kernel's params (or combine's `bytes`) are wrong",
                                      "a kernel saw wrong bytes in an IN region by item",
                                      "a kernel saw wrong bytes in an IN region as a whole"};
  const gboolean known = faults < G_GUINT64_CONSTANT(1) << G_N_ELEMENTS(texts); /* else it still is poison */
  for (guint i = 0; known && i < G_N_ELEMENTS(texts); i++)
    if (faults & (G_GUINT64_CONSTANT(1) << i))
      return g_strdup(texts[i]);
  return g_strdup(
      "the REDUCE region was not written: after each loop it holds `identity` combined with every worker's part");
}

static char *verify_sum(const BhExercise *e, const guint64 *sum) {
  const guint64 n = e->params.items, total = n * (n + 1) / 2;
  if (sum[SUM_FAULTS])
    return describe_faults(sum[SUM_FAULTS]);
  if (sum[SUM_TOTAL] != total)
    return g_strdup_printf("the REDUCE region's sum is %" G_GUINT64_FORMAT ", expected %" G_GUINT64_FORMAT
                           ": a worker's part was lost, joined twice or did not start from `identity`",
                           sum[SUM_TOTAL], total);
  if (sum[SUM_LEAST] != (n ? 0 : G_MAXUINT64))
    return g_strdup(
        "the REDUCE region's minimum is wrong: parts must start from `identity`, which is not all zeros here");
  return NULL;
}

static char *verify_own(const BhExercise *e, const guint64 *own, guint workers) {
  guint64 items = 0;
  for (guint w = 0; w < workers; w++, own += OWN_WORDS) {
    items += own[OWN_ITEMS];
    if (own[OWN_CLASHES])
      return g_strdup_printf("worker number %u ran two chunks at the same time", w);
    if (own[OWN_ID] && own[OWN_ID] != w + 1)
      return g_strdup_printf("worker %u's BY_WORKER part was given to worker %" G_GUINT64_FORMAT, w, own[OWN_ID] - 1);
    if (own[OWN_SIZE] && own[OWN_SIZE] != workers)
      return g_strdup_printf("args->workers was %" G_GUINT64_FORMAT " where accept answered %u", own[OWN_SIZE],
                             workers);
  }
  if (items != e->params.items)
    return g_strdup_printf("the workers' BY_WORKER parts count %" G_GUINT64_FORMAT
                           " items, expected %" G_GUINT64_FORMAT,
                           items, e->params.items);
  return NULL;
}

static char *verify_item(const BhExercise *e, void *const *region_, guint64 i) {
  const guint64 *out = region_[R_OUT], *ragged = region_[R_RAGGED], *count = region_[R_COUNT], *back = region_[R_BACK];
  if (count[i] != count_at(i) + 1)
    return g_strdup_printf("item %" G_GUINT64_FORMAT " was visited %" G_GINT64_FORMAT
                           " times, expected once (an INOUT region "
                           "by item counts)",
                           i, (gint64)(count[i] - count_at(i)));
  if (out[2 * i] != input_at(i) + 1 || out[2 * i + 1] != base_at(i % BASE_WORDS) + i)
    return g_strdup_printf("item %" G_GUINT64_FORMAT " of an OUT region by item is wrong", i);
  for (guint64 w = ragged_start(i); w < ragged_start(i + 1); w++)
    if (ragged[w] != 7 * w + i)
      return g_strdup_printf(
          "item %" G_GUINT64_FORMAT " of an OUT region with `slice` is wrong at word %" G_GUINT64_FORMAT, i, w);
  if (back[i] != temp_at(e->params.items - 1 - i) + 1)
    return g_strdup_printf(
        "the second loop did not see in the TEMP region what the first wrote for item %" G_GUINT64_FORMAT
        ": each loop must be joined, with its effects visible, before the next",
        e->params.items - 1 - i);
  return NULL;
}

char *bh_exercise_verify(const BhExercise *e, void *const *region_, guint workers) {
  if (is_team(e))
    return bh_exercise_team_verify(region_[0], workers);
  char *wrong = NULL;
  for (guint64 i = 0; i < e->params.items && !wrong; i++)
    wrong = verify_item(e, region_, i);
  if (!wrong)
    wrong = verify_sum(e, region_[R_SUM]);
  return wrong ? wrong : verify_own(e, region_[R_OWN], workers);
}

char *bh_exercise_verify_idle(const BhExercise *e, void *const *region_, guint64 word) {
  static const guint outputs[] = {R_OUT, R_RAGGED, R_BACK};
  for (guint k = 0; k < G_N_ELEMENTS(outputs); k++) {
    const guint64 words = e->regions[outputs[k]].bytes / 8;
    const guint64 *at = region_[outputs[k]];
    for (guint64 i = 0; i < words; i++)
      if (at[i] != word)
        return g_strdup_printf(
            "a kernel wrote nothing, but word %" G_GUINT64_FORMAT " of region %s is 0x%" G_GINT64_MODIFIER
            "x instead of the host's poison: `bind` must carry it to the workers, `fetch` bring it back",
            i, e->regions[outputs[k]].name, at[i]);
  }
  const guint64 *count = region_[R_COUNT], *sum = region_[R_SUM];
  for (guint64 i = 0; i < e->params.items; i++)
    if (count[i] != (count_at(i) | IDLE))
      return g_strdup_printf("a kernel wrote nothing, but item %" G_GUINT64_FORMAT " of the INOUT region changed", i);
  if (sum[SUM_TOTAL] != 0 || sum[SUM_LEAST] != G_MAXUINT64)
    return g_strdup("nothing was accumulated, but the REDUCE region is not its identity");
  return NULL;
}
