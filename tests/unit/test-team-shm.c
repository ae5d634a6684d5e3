/* SPDX-License-Identifier: MIT
 * benchhost/team.h with threads and with processes: every type and operation against a plain loop, sizes around the
 * staging area's, messages larger than a ring, and members that stop. */
#include <benchhost/team.h>
#include <glib.h>
#include <sys/mman.h>
#include <sys/wait.h>

typedef struct {
  bh_team_area *area;
  guint rank;
  gboolean block, shared;
  bh_status (*body)(bh_team *team, gpointer user);
  gpointer user;
  bh_status status;
} Member;

static bh_status test_stop(const bh_host *h, bh_status why, const char *format, ...) {
  (void)h, (void)format;
  return why;
}
static const bh_host host = {.size = sizeof host, .stop = test_stop};

static gpointer member_main(gpointer data) {
  Member *m = data;
  bh_team_member seat;
  bh_waiter waiter = bh_waiter_make(m->block, m->shared, TRUE);
  bh_team_join(&seat, &host, m->area, m->rank, &waiter, NULL, NULL);
  m->status = bh_team_leave(&seat, m->body(&seat.team, m->user));
  return NULL;
}

static bh_team_area *new_area(guint members) {
  bh_team_area *area = mmap(NULL, bh_team_area_bytes(members), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  g_assert_true(area != MAP_FAILED);
  bh_team_area_init(area, members);
  bh_team_area_reset(area);
  return area;
}

/* Runs `body` on threads; statuses by rank into `ret`. */
static void run_threads(bh_team_area *area, gboolean block, bh_status (*body)(bh_team *, gpointer), gpointer user,
                        bh_status *ret) {
  guint n = area->members;
  g_autofree Member *members = g_new0(Member, n);
  g_autofree GThread **threads = g_new0(GThread *, n);
  for (guint r = 0; r < n; r++) {
    members[r] = (Member){area, r, block, FALSE, body, user, BH_OK};
    threads[r] = g_thread_new("member", member_main, &members[r]);
  }
  for (guint r = 0; r < n; r++)
    g_thread_join(threads[r]), ret[r] = members[r].status;
}

static void run_ok(guint members, bh_status (*body)(bh_team *, gpointer), gpointer user) {
  for (int block = 0; block < 2; block++) {
    bh_team_area *area = new_area(members);
    bh_status status[16];
    run_threads(area, block, body, user, status);
    for (guint r = 0; r < members; r++)
      g_assert_cmpint(status[r], ==, BH_OK);
    g_assert_cmpint(bh_team_area_check(area, &host), ==, BH_OK);
    munmap(area, bh_team_area_bytes(members));
  }
}

/* ---- Types and operations, in integers that every type holds exactly ---- */

static gint64 contribution(guint rank, guint64 i) {
  return (gint64)((rank * 7 + i * 3) % 30) + 1;
}

static void put(void *at, bh_dtype dtype, guint64 i, gint64 value) {
  switch (dtype) {
  case BH_U8:
    ((guint8 *)at)[i] = (guint8)value;
    break;
  case BH_I32:
    ((gint32 *)at)[i] = (gint32)value;
    break;
  case BH_U32:
    ((guint32 *)at)[i] = (guint32)value;
    break;
  case BH_I64:
    ((gint64 *)at)[i] = value;
    break;
  case BH_U64:
    ((guint64 *)at)[i] = (guint64)value;
    break;
  case BH_F32:
    ((float *)at)[i] = (float)value;
    break;
  case BH_F64:
    ((double *)at)[i] = (double)value;
    break;
  }
}
static gint64 get(const void *at, bh_dtype dtype, guint64 i) {
  switch (dtype) {
  case BH_U8:
    return ((const guint8 *)at)[i];
  case BH_I32:
    return ((const gint32 *)at)[i];
  case BH_U32:
    return ((const guint32 *)at)[i];
  case BH_I64:
    return ((const gint64 *)at)[i];
  case BH_U64:
    return (gint64)((const guint64 *)at)[i];
  case BH_F32:
    return (gint64)((const float *)at)[i];
  case BH_F64:
    return (gint64)((const double *)at)[i];
  }
  return -1;
}
static gint64 reduced(guint size, guint64 i, bh_op op) {
  gint64 result = contribution(0, i);
  for (guint r = 1; r < size; r++) {
    gint64 value = contribution(r, i);
    result = op == BH_SUM ? result + value : op == BH_MIN ? MIN(result, value) : MAX(result, value);
  }
  return result;
}

static bh_status body_reduce(bh_team *t, gpointer user) {
  guint64 count = *(guint64 *)user;
  g_autofree guint8 *data = g_malloc(count * t->size * 8), *out = g_malloc(count * 8);
  for (int dtype = BH_U8; dtype <= BH_F64; dtype++)
    for (int op = BH_SUM; op <= BH_MAX; op++) {
      for (guint64 i = 0; i < count * t->size; i++)
        put(data, (bh_dtype)dtype, i, contribution(t->rank, i));
      if (t->reduce_scatter(t, data, out, count, (bh_dtype)dtype, (bh_op)op) != BH_OK)
        return BH_FAIL;
      for (guint64 i = 0; i < count; i++)
        g_assert_cmpint(get(out, (bh_dtype)dtype, i), ==, reduced(t->size, t->rank * count + i, (bh_op)op));
      if (t->all_reduce(t, data, count, (bh_dtype)dtype, (bh_op)op) != BH_OK)
        return BH_FAIL;
      for (guint64 i = 0; i < count; i++)
        g_assert_cmpint(get(data, (bh_dtype)dtype, i), ==, reduced(t->size, i, (bh_op)op));
    }
  return BH_OK;
}

static void test_reduce(void) {
  static guint64 counts[] = {1, 5, 255, 257, 8193, 20001};
  for (guint i = 0; i < G_N_ELEMENTS(counts); i++)
    for (guint members = 1; members <= 3; members++)
      run_ok(members, body_reduce, &counts[i]);
  run_ok(7, body_reduce, &counts[2]);
}

static bh_status body_move(bh_team *t, gpointer user) {
  guint64 bytes = *(guint64 *)user;
  g_autofree guint8 *mine = g_malloc(bytes + 1), *all = g_malloc(bytes * t->size + 1);
  for (guint root = 0; root < t->size; root++) {
    memset(mine, (int)(t->rank == root ? 100 + root : 0), bytes);
    if (t->broadcast(t, mine, bytes, root) != BH_OK)
      return BH_FAIL;
    for (guint64 i = 0; i < bytes; i++)
      g_assert_cmpint(mine[i], ==, 100 + (int)root);
  }
  for (guint64 i = 0; i < bytes; i++)
    mine[i] = (guint8)(t->rank * 31 + i);
  if (t->all_gather(t, mine, all, bytes) != BH_OK)
    return BH_FAIL;
  for (guint r = 0; r < t->size; r++)
    for (guint64 i = 0; i < bytes; i++)
      g_assert_cmpint(all[r * bytes + i], ==, (guint8)(r * 31 + i));
  guint right = (t->rank + 1) % t->size, left = (t->rank + t->size - 1) % t->size;
  memset(all, 0, bytes);
  if (t->exchange(t, mine, bytes, right, all, bytes, left, 3) != BH_OK)
    return BH_FAIL;
  for (guint64 i = 0; i < bytes; i++)
    g_assert_cmpint(all[i], ==, (guint8)(left * 31 + i));
  return t->barrier(t);
}

static void test_move(void) {
  /* Around a header's wrap in the ring, a ring (64 KiB), a stage (64 KiB), and several of them. */
  static guint64 sizes[] = {0, 1, 17, 65520, 65536, 65537, 300001};
  for (guint i = 0; i < G_N_ELEMENTS(sizes); i++)
    for (guint members = 1; members <= 4; members += members)
      run_ok(members, body_move, &sizes[i]);
}

/* Ten messages with ten tags from 0 to 1, asked for backwards, larger than the ring together. */
static bh_status body_tags(bh_team *t, gpointer user) {
  enum { N = 10, BYTES = 20000 };
  g_autofree guint8 *data = g_malloc(BYTES);
  (void)user;
  for (guint i = 0; i < N && t->rank == 0; i++) {
    memset(data, (int)i, BYTES);
    if (t->send(t, data, BYTES, 1, i) != BH_OK)
      return BH_FAIL;
  }
  for (guint i = N; i-- > 0 && t->rank == 1;) {
    if (t->receive(t, data, BYTES, 0, i) != BH_OK)
      return BH_FAIL;
    g_assert_cmpint(data[0], ==, i);
    g_assert_cmpint(data[BYTES - 1], ==, i);
  }
  return BH_OK;
}

/* Of two messages with one tag the first sent is the first received. */
static bh_status body_order(bh_team *t, gpointer user) {
  (void)user;
  for (gint i = 0; i < 1000; i++) {
    gint got = i;
    if (t->rank == 0 && t->send(t, &i, sizeof i, 1, 4) != BH_OK)
      return BH_FAIL;
    if (t->rank == 1 && t->receive(t, &got, sizeof got, 0, 4) != BH_OK)
      return BH_FAIL;
    g_assert_cmpint(got, ==, i);
  }
  return BH_OK;
}

static void test_messages(void) {
  run_ok(2, body_tags, NULL);
  run_ok(2, body_order, NULL);
}

/* ---- Failures release everybody ---- */

static bh_status body_fail(bh_team *t, gpointer user) {
  guint8 big[100000] = {0};
  guint how = *(guint *)user;
  if (t->rank == 1)
    return how < 3 ? BH_FAIL : BH_OK;
  switch (how % 3) {
  case 0:
    return t->barrier(t);
  case 1:
    return t->receive(t, big, 8, 1, 0);
  default:
    return t->send(t, big, sizeof big, 1, 0); /* more than the ring takes */
  }
}

static void test_failures(void) {
  for (guint how = 0; how < 6; how++)
    for (int block = 0; block < 2; block++) {
      bh_team_area *area = new_area(3);
      bh_status status[3];
      run_threads(area, block, body_fail, &how, status);
      g_assert_cmpint(status[0], ==, BH_FAIL);
      g_assert_cmpint(status[1], ==, how < 3 ? BH_FAIL : BH_OK);
      g_assert_cmpint(status[2], ==, BH_FAIL);
      /* After a reset the same area works again. */
      guint64 count = 300;
      bh_team_area_reset(area);
      run_threads(area, block, body_reduce, &count, status);
      for (guint r = 0; r < 3; r++)
        g_assert_cmpint(status[r], ==, BH_OK);
      munmap(area, bh_team_area_bytes(3));
    }
}

static bh_status body_bad_rank(bh_team *t, gpointer user) {
  guint8 byte = 0;
  (void)user;
  if (t->broadcast(t, &byte, 1, t->size) != BH_FAIL || t->send(t, &byte, 1, t->size, 0) != BH_FAIL)
    return BH_OK;
  return BH_FAIL;
}

static void test_bad_rank(void) {
  bh_team_area *area = new_area(2);
  bh_status status[2];
  run_threads(area, TRUE, body_bad_rank, NULL, status);
  g_assert_cmpint(status[0], ==, BH_FAIL);
  g_assert_cmpint(status[1], ==, BH_FAIL);
  munmap(area, bh_team_area_bytes(2));
}

/* ---- Processes ---- */

static bh_status body_all(bh_team *t, gpointer user) {
  bh_status status = body_reduce(t, user);
  return status == BH_OK ? body_move(t, user) : status;
}

static void test_processes(void) {
  enum { N = 3 };
  guint64 count = 20001;
  for (int block = 0; block < 2; block++) {
    bh_team_area *area = new_area(N);
    pid_t pids[N];
    for (guint r = 0; r < N; r++)
      if ((pids[r] = fork()) == 0) {
        Member m = {area, r, block, TRUE, body_all, &count, BH_OK};
        member_main(&m);
        _exit(m.status == BH_OK ? 0 : 1);
      }
    for (guint r = 0; r < N; r++) {
      int status = -1;
      g_assert_cmpint(waitpid(pids[r], &status, 0), ==, pids[r]);
      g_assert_cmpint(status, ==, 0);
    }
    munmap(area, bh_team_area_bytes(N));
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/team/processes", test_processes); /* first: before any thread exists */
  g_test_add_func("/team/reduce", test_reduce);
  g_test_add_func("/team/move", test_move);
  g_test_add_func("/team/messages", test_messages);
  g_test_add_func("/team/failures", test_failures);
  g_test_add_func("/team/bad-rank", test_bad_rank);
  return g_test_run();
}
