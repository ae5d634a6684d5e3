/* SPDX-License-Identifier: MIT
 * The collectives workload on a plain team of threads, written here: right communication verifies for every operation
 * and size, and communication that loses one operation, or stops working at some point, does not. */
#include "workload-fixture.h"

#include <math.h>
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

#define MEMBERS 5

/* What the members share. `skip_from` .. `skip_to`: operations that say BH_OK and do nothing (none: both 0). */
typedef struct {
  pthread_barrier_t all;
  guint64 skip_from, skip_to;
  const void *slot[MEMBERS]; /* what each member put up for the others to read */
  sem_t full[MEMBERS], empty[MEMBERS];
  const void *mail[MEMBERS]; /* to rank r */
  char *temp;                /* all members' parts of the TEMP region, which the workload never gets to see */
} Team;

typedef struct {
  bh_team team; /* first: the body gets its address */
  Team *shared;
  guint64 calls;
  pthread_t thread;
  Fixture *fixture;
  bh_status status;
} Member;

static gboolean skipped(Member *m) {
  guint64 call = m->calls++;
  return m->shared->skip_to && call >= m->shared->skip_from && call < m->shared->skip_to;
}

static bh_status team_barrier(bh_team *t) {
  Member *m = (Member *)t;
  if (skipped(m)) {
    if (t->rank == 0)
      g_usleep(5000); /* the others run ahead */
    return BH_OK;
  }
  pthread_barrier_wait(&m->shared->all);
  return BH_OK;
}

/* Puts `mine` up, waits for all, and gives what everybody put up; release lets them go on. */
static const void **team_show(Member *m, const void *mine) {
  m->shared->slot[m->team.rank] = mine;
  pthread_barrier_wait(&m->shared->all);
  return m->shared->slot;
}

static void team_release(Member *m) {
  pthread_barrier_wait(&m->shared->all);
}

static bh_status team_broadcast(bh_team *t, void *buffer, uint64_t bytes, uint32_t root) {
  Member *m = (Member *)t;
  if (skipped(m))
    return BH_OK;
  const void **slot = team_show(m, buffer);
  if (t->rank != root)
    memcpy(buffer, slot[root], bytes);
  team_release(m);
  return BH_OK;
}

static bh_status team_all_reduce(bh_team *t, void *inout, uint64_t count, bh_dtype dtype, bh_op op) {
  Member *m = (Member *)t;
  g_assert_cmpint(dtype, ==, BH_F64);
  g_assert_cmpint(op, ==, BH_SUM);
  if (skipped(m))
    return BH_OK;
  g_autofree double *sum = g_new0(double, count + 1);
  const void **slot = team_show(m, inout);
  for (guint r = 0; r < t->size; r++)
    for (guint64 j = 0; j < count; j++)
      sum[j] += ((const double *)slot[r])[j];
  team_release(m);
  memcpy(inout, sum, count * sizeof(double));
  return BH_OK;
}

static bh_status team_reduce_scatter(bh_team *t, const void *in, void *out, uint64_t count, bh_dtype dtype, bh_op op) {
  Member *m = (Member *)t;
  g_assert_cmpint(dtype, ==, BH_F64);
  g_assert_cmpint(op, ==, BH_SUM);
  if (skipped(m))
    return BH_OK;
  const void **slot = team_show(m, in);
  for (guint64 j = 0; j < count; j++) {
    ((double *)out)[j] = 0;
    for (guint r = 0; r < t->size; r++)
      ((double *)out)[j] += ((const double *)slot[r])[t->rank * count + j];
  }
  team_release(m);
  return BH_OK;
}

static bh_status team_all_gather(bh_team *t, const void *in, void *out, uint64_t bytes) {
  Member *m = (Member *)t;
  if (skipped(m))
    return BH_OK;
  const void **slot = team_show(m, in);
  for (guint r = 0; r < t->size; r++)
    memcpy((char *)out + r * bytes, slot[r], bytes);
  team_release(m);
  return BH_OK;
}

static bh_status team_exchange(bh_team *t, const void *out, uint64_t out_bytes, uint32_t to, void *in,
                               uint64_t in_bytes, uint32_t from, uint32_t tag) {
  Member *m = (Member *)t;
  (void)tag;
  g_assert_cmpuint(to, ==, (t->rank + 1) % t->size);
  g_assert_cmpuint(out_bytes, ==, in_bytes);
  if (skipped(m))
    return BH_OK;
  const void **slot = team_show(m, out);
  memcpy(in, slot[from], in_bytes);
  team_release(m);
  return BH_OK;
}

static bh_status team_send(bh_team *t, const void *data, uint64_t bytes, uint32_t to, uint32_t tag) {
  Member *m = (Member *)t;
  (void)bytes;
  (void)tag;
  if (skipped(m))
    return BH_OK;
  m->shared->mail[to] = data;
  sem_post(&m->shared->full[to]);
  sem_wait(&m->shared->empty[to]);
  return BH_OK;
}

static bh_status team_receive(bh_team *t, void *data, uint64_t bytes, uint32_t from, uint32_t tag) {
  Member *m = (Member *)t;
  (void)from;
  (void)tag;
  if (skipped(m))
    return BH_OK;
  sem_wait(&m->shared->full[t->rank]);
  memcpy(data, m->shared->mail[t->rank], bytes);
  sem_post(&m->shared->empty[t->rank]);
  return BH_OK;
}

/* The member's parts of what `uses` names. */
static void own_parts(const Member *m, const bh_use *uses, guint n, void **ret_region) {
  const Fixture *f = m->fixture;
  for (guint u = 0; u < n; u++) {
    const bh_region *region = &f->theirs.regions[uses[u].region];
    char *all = region->role == BH_TEMP ? m->shared->temp : f->region[uses[u].region];
    ret_region[u] = all + m->team.rank * region->bytes;
  }
}

/* Kernels are no operations of the team: none is ever skipped. */
static bh_status team_run(bh_team *t, uint32_t loop, uint64_t begin, uint64_t end, const void *params) {
  const Member *m = (const Member *)t;
  const bh_kernel *kernel = &m->fixture->theirs.kernels[m->fixture->theirs.loops[loop].kernel];
  void *region[BH_MAX_USES] = {NULL};
  own_parts(m, kernel->uses, kernel->n_uses, region);
  const bh_args args = {.region = region, .params = params, .worker = t->rank, .workers = t->size};
  g_assert_cmpuint(end, <=, m->fixture->theirs.loops[loop].items);
  if (begin < end)
    kernel->host(&args, begin, end);
  return BH_OK;
}

static void *member_main(void *data) {
  Member *m = data;
  Fixture *f = m->fixture;
  void *region[BH_MAX_USES] = {NULL};
  own_parts(m, f->theirs.uses, f->theirs.n_uses, region);
  bh_args args = {.region = region, .worker = m->team.rank, .workers = m->team.size};
  m->status = f->theirs.member(f->state, &m->team, &args);
  return NULL;
}

static void run_team(Fixture *f, guint64 skip_from, guint64 skip_to) {
  Team shared = {.skip_from = skip_from, .skip_to = skip_to};
  Member members[MEMBERS] = {{{0}}};
  pthread_barrier_init(&shared.all, NULL, f->workers);
  const guint64 bytes = f->theirs.regions[0].bytes * f->workers; /* as large as `data` */
  shared.temp = g_malloc(bytes);
  memset(shared.temp, 0xd5, bytes);
  for (guint r = 0; r < f->workers; r++) {
    sem_init(&shared.full[r], 0, 0);
    sem_init(&shared.empty[r], 0, 0);
    members[r] = (Member){.team = {.size_of = sizeof(bh_team),
                                   .rank = r,
                                   .size = f->workers,
                                   .host = &f->mini->host,
                                   .run = team_run,
                                   .barrier = team_barrier,
                                   .broadcast = team_broadcast,
                                   .all_reduce = team_all_reduce,
                                   .reduce_scatter = team_reduce_scatter,
                                   .all_gather = team_all_gather,
                                   .send = team_send,
                                   .receive = team_receive,
                                   .exchange = team_exchange},
                          .shared = &shared,
                          .fixture = f};
  }
  for (guint r = 0; r < f->workers; r++)
    g_assert_cmpint(pthread_create(&members[r].thread, NULL, member_main, &members[r]), ==, 0);
  for (guint r = 0; r < f->workers; r++) {
    pthread_join(members[r].thread, NULL);
    g_assert_cmpint(members[r].status, ==, BH_OK);
  }
  g_free(shared.temp);
}

static const char *const operations[] = {"barrier",    "all-reduce", "broadcast", "reduce-scatter",
                                         "all-gather", "ring",       "pingpong"};

static void test_right(gconstpointer data) {
  static const guint sizes[] = {1, 2, 3, 5};
  static const guint repeats[] = {1, 2, 7, 40, 1000}; /* 1000: sums are set back on the way */
  for (guint s = 0; s < G_N_ELEMENTS(sizes); s++)
    for (guint k = 0; k < G_N_ELEMENTS(repeats); k++) {
      Fixture f;
      g_autofree char *settings = g_strdup_printf("op=%s bytes=101 repeats=%u", (const char *)data, repeats[k]);
      g_assert_cmpint(fixture_open(&f, "collectives", settings, NULL, NULL, sizes[s]), ==, BH_OK);
      if (f.theirs.min_members <= sizes[s]) {
        fixture_prepare(&f, k);
        run_team(&f, 0, 0);
        if (fixture_verify(&f) != BH_OK)
          g_error("%s, %u members: %s", settings, sizes[s], bh_mini_host_reason(f.mini));
        fixture_check_canaries(&f);
      }
      fixture_close(&f);
    }
}

/* Every element of the data, and of what members say about their runs except the time they took. */
static void test_damaged(gconstpointer data) {
  Fixture f;
  g_autofree char *settings = g_strdup_printf("op=%s bytes=96 repeats=9", (const char *)data);
  g_assert_cmpint(fixture_open(&f, "collectives", settings, NULL, NULL, 3), ==, BH_OK);
  fixture_prepare(&f, 0);
  run_team(&f, 0, 0);
  double *values = f.region[0];
  for (guint64 j = 0; j < f.bytes[0] / sizeof(double); j++) {
    double good = values[j];
    values[j] = good == 0 ? 1e-9 : good * 1.0001;
    fixture_must_fail(&f, 0, "with one damaged element");
    values[j] = NAN;
    fixture_must_fail(&f, 0, "with one NaN");
    values[j] = good;
  }
  fixture_damage(&f);
  fixture_close(&f);
}

/* The first barrier of a run is call 0. Operation 5 of 12 is lost; then: all from the 4th on are. */
static void test_lost(gconstpointer data) {
  const char *op = data;
  gboolean barrier = strcmp(op, "barrier") == 0, pingpong = strcmp(op, "pingpong") == 0;
  for (guint mode = 0; mode < 2; mode++) {
    Fixture f;
    g_autofree char *settings = g_strdup_printf("op=%s bytes=4KiB repeats=12", op);
    if (barrier && mode == 0)
      continue; /* one lost barrier between two good ones can do no harm */
    g_assert_cmpint(fixture_open(&f, "collectives", settings, NULL, NULL, 3), ==, BH_OK);
    fixture_prepare(&f, 0);
    if (mode == 0)
      run_team(&f, pingpong ? 11 : 6, pingpong ? 13 : 7); /* pingpong: a message and its answer */
    else
      run_team(&f, pingpong ? 9 : 5, 1000);
    fixture_must_fail(&f, 0, mode ? "after operations that did nothing" : "after a lost operation");
    fixture_close(&f);
  }
}

static void test_too_small(void) {
  Fixture f;
  g_assert_cmpint(fixture_open(&f, "collectives", "op=all-gather bytes=8", NULL, NULL, 2), ==, BH_OK);
  bh_team team = {.size_of = sizeof team, .rank = 0, .size = 2, .host = &f.mini->host};
  void *region[3] = {f.region[0], f.region[1], f.region[2]};
  bh_args args = {.region = region, .workers = 2};
  g_assert_cmpint(f.theirs.member(f.state, &team, &args), ==, BH_UNSUPPORTED);
  g_assert_nonnull(strstr(bh_mini_host_reason(f.mini), "less than one double for each of 2 members"));
  fixture_close(&f);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS(operations); i++) {
    g_autofree char *right = g_strdup_printf("/collectives/%s/right", operations[i]);
    g_autofree char *damaged = g_strdup_printf("/collectives/%s/damaged", operations[i]);
    g_autofree char *lost = g_strdup_printf("/collectives/%s/lost", operations[i]);
    g_test_add_data_func(right, operations[i], test_right);
    g_test_add_data_func(damaged, operations[i], test_damaged);
    g_test_add_data_func(lost, operations[i], test_lost);
  }
  g_test_add_func("/collectives/too-small", test_too_small);
  return g_test_run();
}
