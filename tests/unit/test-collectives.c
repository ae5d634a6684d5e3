/* SPDX-License-Identifier: MIT
 * The collectives workload on a plain team of threads, written here: right communication verifies for every operation
 * and size, and communication that loses one operation, for all or for one member, stops working at some point, does an
 * operation twice, or mixes members up, does not. */
#include "workload-fixture.h"

#include <math.h>
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

#define MEMBERS 5

/* What is wrong with some operations, which say BH_OK: they do nothing; or bring member `alone` nothing; or are done
 * twice; or bring each member what is another's. */
typedef enum { RIGHT, LOST, LOST_BY_ONE, TWICE, MIXED_UP } Fault;

/* What the members share. `from` .. `to`: calls of each member with the fault. */
typedef struct {
  pthread_barrier_t all;
  Fault fault;
  guint64 from, to;
  guint alone;
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

static gboolean has(const Member *m, Fault fault) { /* the call under way */
  const Team *s = m->shared;
  return s->fault == fault && m->calls > s->from && m->calls <= s->to;
}

static gboolean skipped(Member *m) {
  m->calls++;
  return has(m, LOST);
}

static gboolean gets_nothing(const Member *m) {
  return has(m, LOST_BY_ONE) && m->team.rank == m->shared->alone;
}

/* Rank r, or with the fault the one after it. */
static guint mixed_up(const Member *m, guint r) {
  return has(m, MIXED_UP) ? (r + 1) % m->team.size : r;
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
  /* Mixed up, it is another's that is overwritten too: by then it has been read. */
  g_autofree void *brought = g_memdup2(slot[mixed_up(m, root)], bytes);
  team_release(m);
  if (t->rank != root && !gets_nothing(m))
    memcpy(buffer, brought, bytes);
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
      sum[j] += ((const double *)slot[has(m, MIXED_UP) ? t->rank : r])[j] * (has(m, TWICE) ? t->size : 1);
  team_release(m);
  if (!gets_nothing(m))
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
  for (guint64 j = 0; j < count && !gets_nothing(m); j++) {
    ((double *)out)[j] = 0;
    for (guint r = 0; r < t->size; r++)
      ((double *)out)[j] += ((const double *)slot[r])[mixed_up(m, t->rank) * count + j];
  }
  team_release(m);
  return BH_OK;
}

static bh_status team_all_gather(bh_team *t, const void *in, void *out, uint64_t bytes) {
  Member *m = (Member *)t;
  if (skipped(m))
    return BH_OK;
  const void **slot = team_show(m, in);
  for (guint r = 0; r < t->size && !gets_nothing(m); r++)
    memcpy((char *)out + r * bytes, slot[mixed_up(m, r)], bytes);
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
  if (!gets_nothing(m))
    memcpy(in, slot[mixed_up(m, from)], in_bytes);
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
  if (!gets_nothing(m))
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

static void run_team(Fixture *f, Fault fault, guint64 from, guint64 to) {
  Team shared = {.fault = fault, .from = from, .to = to, .alone = f->workers < 3 ? 0 : 2};
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
        run_team(&f, RIGHT, 0, 0);
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
  run_team(&f, RIGHT, 0, 0);
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
      run_team(&f, LOST, pingpong ? 11 : 6, pingpong ? 13 : 7); /* pingpong: a message and its answer */
    else
      run_team(&f, LOST, pingpong ? 9 : 5, 1000);
    fixture_must_fail(&f, 0, mode ? "after operations that did nothing" : "after a lost operation");
    fixture_close(&f);
  }
}

/* Operation 99 of 1000, so that many later ones bring new values to every element, or sums are set back since. */
static void test_covered_up(gconstpointer data) {
  static const Fault faults[] = {LOST, LOST_BY_ONE, TWICE, MIXED_UP};
  static const char *const names[] = {"lost", "lost by one", "done twice", "mixed up"};
  const char *op = data;
  const gboolean pingpong = strcmp(op, "pingpong") == 0;
  for (guint k = 0; k < G_N_ELEMENTS(faults); k++)
    for (guint members = 2; members <= 4; members++) {
      Fixture f;
      g_autofree char *settings = g_strdup_printf("op=%s bytes=64 repeats=1000", op);
      g_autofree char *what = g_strdup_printf("%s, %u members: one operation %s", op, members, names[k]);
      if (faults[k] == TWICE && strcmp(op, "all-reduce") != 0)
        continue; /* brings the same */
      if (pingpong && (faults[k] == MIXED_UP || members != 2))
        continue; /* between two there is nothing to mix up */
      if (strcmp(op, "all-reduce") == 0 && faults[k] == MIXED_UP)
        continue; /* all have the same since the first operation */
      if (strcmp(op, "ring") == 0 && faults[k] == MIXED_UP && members == 2)
        continue; /* the one after the other is oneself: tested with three */
      g_assert_cmpint(fixture_open(&f, "collectives", settings, NULL, NULL, members), ==, BH_OK);
      fixture_prepare(&f, 0);
      run_team(&f, faults[k], pingpong ? 199 : 100, pingpong ? 201 : 101);
      fixture_must_fail(&f, 0, what);
      fixture_close(&f);
    }
}

/* Every operation brings each member what is another's. */
static void test_mixed_up(gconstpointer data) {
  Fixture f;
  g_autofree char *settings = g_strdup_printf("op=%s bytes=64 repeats=1000", (const char *)data);
  g_assert_cmpint(fixture_open(&f, "collectives", settings, NULL, NULL, 3), ==, BH_OK);
  fixture_prepare(&f, 0);
  run_team(&f, MIXED_UP, 1, G_MAXUINT64);
  fixture_must_fail(&f, 0, "with members mixed up");
  fixture_close(&f);
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
    if (strcmp(operations[i], "barrier") == 0)
      continue;
    g_autofree char *covered_up = g_strdup_printf("/collectives/%s/covered-up", operations[i]);
    g_test_add_data_func(covered_up, operations[i], test_covered_up);
    if (strcmp(operations[i], "pingpong") == 0)
      continue;
    g_autofree char *mixed_up = g_strdup_printf("/collectives/%s/mixed-up", operations[i]);
    g_test_add_data_func(mixed_up, operations[i], test_mixed_up);
  }
  g_test_add_func("/collectives/too-small", test_too_small);
  return g_test_run();
}
