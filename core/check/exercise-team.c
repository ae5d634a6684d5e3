/* SPDX-License-Identifier: MIT
 * Owns the team exercise: a body that calls every collective with values known beforehand and notes what came out
 * wrong. */
#include "check/exercise-private.h"

#include <string.h>
#include <sys/mman.h>

enum { LOG_FAULTS, LOG_RANK, LOG_SIZE, LOG_LOOP, LOG_DONE, LOG_WORDS = 8 };
enum {
  BAD_RANK = 1,
  BAD_BARRIER = 2,
  BAD_BROADCAST = 4,
  BAD_REDUCE = 8,
  BAD_SCATTER = 16,
  BAD_GATHER = 32,
  BAD_RING = 64,
  BAD_TAGS = 128,
  BAD_EXCHANGE = 256,
  BAD_LOOP = 512
};
enum { LOOP_ITEMS = 100, BIG_BYTES = 400 * 1024, MAX_WITNESSES = 256 };
#define TRY(call)                                                                                                      \
  do {                                                                                                                 \
    const bh_status try_status = (call);                                                                               \
    if (try_status != BH_OK)                                                                                           \
      return try_status;                                                                                               \
  } while (0)

static bh_status try_barrier(const BhExerciseTeam *e, bh_team *t, guint64 *faults) {
  for (guint64 round = 1; round <= 20 && t->size <= MAX_WITNESSES; round++) {
    __atomic_store_n(&e->shared[t->rank], round, __ATOMIC_RELEASE);
    TRY(t->barrier(t));
    for (guint r = 0; r < t->size; r++)
      *faults |= __atomic_load_n(&e->shared[r], __ATOMIC_ACQUIRE) < round ? BAD_BARRIER : 0;
    TRY(t->barrier(t));
  }
  return BH_OK;
}

static bh_status try_broadcast(bh_team *t, guint64 *faults) {
  static const guint counts[] = {1, 3, 1000};
  guint64 data[1000];
  for (guint root = 0; root < t->size; root++)
    for (guint c = 0; c < G_N_ELEMENTS(counts); c++) {
      for (guint i = 0; i < counts[c]; i++)
        data[i] = t->rank == root ? 31 * root + i : 0;
      TRY(t->broadcast(t, data, counts[c] * 8, root));
      for (guint i = 0; i < counts[c]; i++)
        *faults |= data[i] == 31 * root + i ? 0 : BAD_BROADCAST;
    }
  return BH_OK;
}

/* Element i of rank r is r + i (+ 1): sums, minima and maxima are small whole numbers in every type. */
static guint64 reduced(bh_op op, guint size, guint64 i) {
  const guint64 least = i + 1, most = size + i;
  return op == BH_SUM ? size * (i + 1) + (guint64)size * (size - 1) / 2 : op == BH_MIN ? least : most;
}

#define REDUCE_IN(type, name)                                                                                          \
  static bh_status reduce_##name(bh_team *t, bh_dtype dtype, bh_op op, guint count, guint64 *faults) {                 \
    type data[64];                                                                                                     \
    for (guint i = 0; i < count; i++)                                                                                  \
      data[i] = (type)(t->rank + i % 20 + 1);                                                                          \
    TRY(t->all_reduce(t, data, count, dtype, op));                                                                     \
    for (guint i = 0; i < count; i++)                                                                                  \
      *faults |= data[i] == (type)reduced(op, t->size, i % 20) ? 0 : BAD_REDUCE;                                       \
    return BH_OK;                                                                                                      \
  }
REDUCE_IN(guint8, u8)
REDUCE_IN(gint32, i32)
REDUCE_IN(guint32, u32)
REDUCE_IN(gint64, i64)
REDUCE_IN(guint64, u64)
REDUCE_IN(float, f32)
REDUCE_IN(double, f64)

static bh_status try_all_reduce(bh_team *t, guint64 *faults) {
  static bh_status (*const by_type[])(bh_team *, bh_dtype, bh_op, guint, guint64 *) = {
      NULL, reduce_u8, reduce_i32, reduce_u32, reduce_i64, reduce_u64, reduce_f32, reduce_f64};
  for (guint dtype = BH_U8; dtype <= BH_F64; dtype++)
    for (guint op = BH_SUM; op <= BH_MAX; op++)
      for (guint count = 0; count <= 64; count = count ? count * 8 : 1)
        TRY(by_type[dtype](t, (bh_dtype)dtype, (bh_op)op, count, faults));
  /* More than fits in any backend's staging area, and no multiple of anything. */
  const guint n = BIG_BYTES / 8 - 3;
  g_autofree gint64 *big = g_new(gint64, n);
  for (guint i = 0; i < n; i++)
    big[i] = (gint64)i - t->rank;
  TRY(t->all_reduce(t, big, n, BH_I64, BH_SUM));
  for (guint i = 0; i < n; i++)
    *faults |= big[i] == (gint64)i * t->size - (gint64)t->size * (t->size - 1) / 2 ? 0 : BAD_REDUCE;
  return BH_OK;
}

static bh_status try_scatter_and_gather(bh_team *t, guint64 *faults) {
  static const guint counts[] = {1, 5, 20000};
  for (guint c = 0; c < G_N_ELEMENTS(counts); c++) {
    const guint n = counts[c];
    g_autofree guint64 *in = g_new(guint64, (gsize)n * t->size), *out = g_new0(guint64, (gsize)n * t->size);
    for (gsize i = 0; i < (gsize)n * t->size; i++)
      in[i] = t->rank + i + 1;
    TRY(t->reduce_scatter(t, in, out, n, BH_U64, BH_SUM));
    for (guint i = 0; i < n; i++)
      *faults |= out[i] == reduced(BH_SUM, t->size, (guint64)t->rank * n + i) ? 0 : BAD_SCATTER;
    for (guint i = 0; i < n; i++)
      in[i] = 1000000 * (guint64)t->rank + i;
    TRY(t->all_gather(t, in, out, n * 8));
    for (gsize i = 0; i < (gsize)n * t->size; i++)
      *faults |= out[i] == 1000000 * (i / n) + i % n ? 0 : BAD_GATHER;
  }
  return BH_OK;
}

static bh_status try_ring(bh_team *t, guint64 *faults) {
  const guint to = (t->rank + 1) % t->size, from = (t->rank + t->size - 1) % t->size;
  guint64 got = 0;
  const guint64 mine = 77 + t->rank;
  if (t->size == 1)
    return BH_OK;
  /* `send` may block until it is received: the first member receives first. */
  if (t->rank) {
    TRY(t->send(t, &mine, 8, to, 5));
    TRY(t->receive(t, &got, 8, from, 5));
  } else {
    TRY(t->receive(t, &got, 8, from, 5));
    TRY(t->send(t, &mine, 8, to, 5));
  }
  *faults |= got == 77 + from ? 0 : BAD_RING;
  guint32 words[3] = {0};
  for (guint32 k = 0; k < 3; k++) { /* in order within a tag */
    const guint32 word = 10 * t->rank + k;
    TRY(t->exchange(t, &word, 4, to, &words[k], 4, from, 6));
    *faults |= words[k] == 10 * from + k ? 0 : BAD_TAGS;
  }
  g_autofree guint8 *out = g_malloc(BIG_BYTES), *in = g_malloc0(BIG_BYTES);
  memset(out, (int)(3 + t->rank), BIG_BYTES);
  TRY(t->exchange(t, out, BIG_BYTES, to, in, BIG_BYTES, from, 7));
  for (guint i = 0; i < BIG_BYTES; i++)
    *faults |= in[i] == (guint8)(3 + from) ? 0 : BAD_EXCHANGE;
  return BH_OK;
}

static void sum_indices(const bh_args *args, uint64_t begin, uint64_t end) {
  guint64 *log = args->region[0];
  for (guint64 i = begin; i < end; i++)
    log[LOG_LOOP] += i;
}

static bh_status member(const void *state, bh_team *t, const bh_args *args) {
  const BhExerciseTeam *e = state;
  guint64 *log = args->region[0], faults = 0;
  if (t->rank >= t->size || args->worker != t->rank || args->workers != t->size)
    faults |= BAD_RANK;
  if (e->fails) {
    if (t->rank == t->size - 1)
      return t->host->stop(t->host, BH_FAIL, "a member that was told to fail");
    TRY(t->barrier(t));
    return BH_OK;
  }
  TRY(try_barrier(e, t, &faults));
  TRY(try_broadcast(t, &faults));
  TRY(try_all_reduce(t, &faults));
  TRY(try_scatter_and_gather(t, &faults));
  TRY(try_ring(t, &faults));
  memset(log, 0, LOG_WORDS * 8);
  TRY(t->run(t, 0, 0, LOOP_ITEMS, NULL));
  log[LOG_FAULTS] = faults | (log[LOG_LOOP] == LOOP_ITEMS * (LOOP_ITEMS - 1) / 2 ? 0 : BAD_LOOP);
  log[LOG_RANK] = t->rank;
  log[LOG_SIZE] = t->size;
  log[LOG_DONE] = 1;
  return BH_OK;
}

static const bh_use log_uses[] = {{0, BH_OUT, BH_BY_WORKER, 0, NULL}};

void bh_exercise_team_plan(BhExerciseTeam *team, bh_problem *ret_problem, gboolean fails) {
  team->fails = fails;
  team->shared = mmap(NULL, MAX_WITNESSES * 8, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (team->shared == MAP_FAILED)
    g_error("cannot map one page");
  team->regions[0] =
      (bh_region){.name = "log", .role = BH_OUT, .split = BH_BY_WORKER, .dtype = BH_U64, .bytes = LOG_WORDS * 8};
  team->kernels[0] = (bh_kernel){.name = "sum", .host = sum_indices, .uses = log_uses, .n_uses = 1};
  team->loops[0] = (bh_loop){.kernel = 0, .items = LOOP_ITEMS};
  *ret_problem = (bh_problem){.size = sizeof *ret_problem,
                              .regions = team->regions,
                              .kernels = team->kernels,
                              .loops = team->loops,
                              .n_regions = 1,
                              .n_kernels = 1,
                              .n_loops = 1,
                              .uses = log_uses,
                              .n_uses = 1,
                              .member = member};
}

void bh_exercise_team_clear(BhExerciseTeam *team) {
  if (team->shared)
    munmap(team->shared, MAX_WITNESSES * 8);
}

char *bh_exercise_team_verify(const void *log_, guint workers) {
  static const char *const texts[] = {"rank, size or args->worker is wrong",
                                      "a barrier let a member through before all had come",
                                      "broadcast",
                                      "all_reduce",
                                      "reduce_scatter",
                                      "all_gather",
                                      "send and receive around a ring",
                                      "messages of one tag in order",
                                      "exchange",
                                      "run: a loop run by a member"};
  const guint64 *log = log_;
  for (guint w = 0; w < workers; w++, log += LOG_WORDS) {
    if (log[LOG_DONE] != 1)
      return g_strdup_printf("member %u did not come to its end, or its BY_WORKER part is not the host's", w);
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
      if (log[LOG_FAULTS] & (1u << i))
        return g_strdup_printf("member %u of %u: wrong result of %s", w, workers, texts[i]);
    if (log[LOG_RANK] != w || log[LOG_SIZE] != workers)
      return g_strdup_printf("member %u says that it is %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT, w, log[LOG_RANK],
                             log[LOG_SIZE]);
  }
  return NULL;
}
