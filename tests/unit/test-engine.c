/* SPDX-License-Identifier: MIT
 * The schedule of a run, with visits and a clock that are made up: which cell is visited how often, what time a visit
 * is given, when the run ends, and how it goes on after an interruption. */
#include "engine/schedule.h"
#include "stats/summary.h"

#include <math.h>
#include <string.h>

#define MS INT64_C(1000000)
#define MOST_CELLS 8

typedef struct {
  double noise;    /* values are 100 (1 +- noise) */
  gint64 fixed_ns; /* that a visit takes whatever its share is */
  gboolean crashes;
} Fake;

typedef struct {
  BhPlan plan;
  BhCell cells[MOST_CELLS];
  Fake fakes[MOST_CELLS];
  BhResults *results;
  gint64 clock_ns;
  guint visits, stop_after; /* 0: never */
  GString *order;           /* ids as visited */
  gint64 least_share_ns, most_share_ns;
  gboolean wrong_outlook;
  double budget_s;
} World;

/* -1 .. 1, the same for the same cell and round: a permutation of 0..16 in steps of 1/8. */
static double jitter(const char *id, guint round) {
  return ((double)((round * 7 + (guint)id[0] * 3) % 17) - 8) / 8;
}

static gboolean fake_visit(void *user, const BhCell *cell, guint round, const BhMeasure *measure, GError **error) {
  World *w = user;
  const Fake *fake = &w->fakes[cell - w->cells];
  const gint64 wanted_ns = fake->fixed_ns + measure->max_time_ns;
  const gint64 share_ns = measure->budget_ns > 0 ? measure->budget_ns : G_MAXINT64;
  const gint64 took_ns = fake->crashes ? MS : MAX(MIN(wanted_ns, share_ns), fake->fixed_ns);
  if (measure->budget_ns > 0) {
    w->least_share_ns = MIN(w->least_share_ns, measure->budget_ns);
    w->most_share_ns = MAX(w->most_share_ns, measure->budget_ns);
  }
  w->clock_ns += took_ns;
  w->visits++;
  g_string_append(w->order, cell->id);
  g_autofree char *text = g_strdup_printf(
      "{\"type\":\"cell\",\"id\":\"%s\",\"workload\":\"w\",\"backend\":\"b\",\"round\":%u,\"wall_ns\":%" G_GINT64_FORMAT
      ",\"status\":\"%s\",\"reason\":%s,\"steady\":{\"samples_ns\":[%.6f],\"stopped\":\"%s\"}}",
      cell->id, round, took_ns, fake->crashes ? "crashed" : "ok", fake->crashes ? "\"bang\"" : "null",
      100 * (1 + fake->noise * jitter(cell->id, round)), took_ns < wanted_ns ? "budget" : "max-time");
  g_autoptr(JsonNode) node = json_from_string(text, NULL);
  return bh_results_add(w->results, json_node_get_object(node), error);
}

static gboolean fake_ended(void *user) {
  const World *w = user;
  return w->stop_after && w->visits >= w->stop_after;
}

static gint64 fake_now(void *user) {
  return ((World *)user)->clock_ns;
}

static void fake_outlook(void *user, const BhOutlook *outlook) {
  World *w = user;
  w->wrong_outlook |= !isfinite(outlook->topup_s) || outlook->topup_s < 0;
  w->wrong_outlook |= w->budget_s > 0 && (outlook->left_s > w->budget_s || outlook->topup_s > w->budget_s);
}

static World *world_new(guint cells, BhMeasure measure) {
  static const char *const ids[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
  World *w = g_new0(World, 1);
  w->plan.cells = g_ptr_array_new();
  w->plan.seed = 7;
  w->plan.measure = measure;
  w->results = bh_results_new();
  w->order = g_string_new(NULL);
  w->least_share_ns = G_MAXINT64;
  w->budget_s = (double)measure.budget_ns * 1e-9;
  for (guint i = 0; i < cells; i++) {
    w->cells[i] = (BhCell){.id = (char *)ids[i], .label = (char *)ids[i], .measure = measure};
    w->fakes[i] = (Fake){.noise = 0.001, .fixed_ns = 10 * MS};
    g_ptr_array_add(w->plan.cells, &w->cells[i]);
  }
  return w;
}

static void world_free(World *w) {
  g_ptr_array_unref(w->plan.cells);
  g_string_free(w->order, TRUE);
  bh_results_free(w->results);
  g_free(w);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(World, world_free)

static BhScheduleEnd run(World *w) {
  const BhScheduleHost host = {
      .user = w, .visit = fake_visit, .ended = fake_ended, .now_ns = fake_now, .outlook = fake_outlook};
  g_autoptr(GError) error = NULL;
  BhScheduleEnd end;
  g_assert_true(bh_schedule_run(&w->plan, w->results, &host, &end, &error));
  g_assert_no_error(error);
  g_assert_false(w->wrong_outlook);
  return end;
}

static guint rounds_of(const World *w, guint i) {
  const BhCellResult *cell = g_hash_table_lookup(w->results->index, w->cells[i].id);
  return cell ? cell->rounds->len : 0;
}

static double half_of(const World *w, guint i) {
  const BhCellResult *cell = g_hash_table_lookup(w->results->index, w->cells[i].id);
  g_autoptr(GArray) values = g_array_new(FALSE, FALSE, sizeof(double));
  for (guint k = 0; k < cell->rounds->len; k++)
    g_array_append_val(values, g_array_index(((BhCellRecord *)cell->rounds->pdata[k])->steady_ns, double, 0));
  return bh_share_half((const double *)(void *)values->data, values->len);
}

static const BhMeasure adaptive = {
    .precision = 0.01, .rounds = 2, .max_rounds = 20, .max_time_ns = 100 * MS, .warmup_ns = 0};

static void test_fixed(void) {
  BhMeasure measure = adaptive;
  measure.max_rounds = 0;
  g_autoptr(World) w = world_new(3, measure);
  w->fakes[1].noise = 0.5;
  const BhScheduleEnd end = run(w);
  g_assert_cmpuint(w->visits, ==, 6);
  g_assert_cmpuint(end.mandatory, ==, 6);
  g_assert_cmpuint(end.left_out + end.unvisited, ==, 0);
  g_assert_cmpint(w->most_share_ns, ==, 0); /* no budget, no share */
}

/* Precise cells stop at six rounds, noisy ones go on to the most, broken ones have what every cell has. */
static void test_precision(void) {
  g_autoptr(World) w = world_new(4, adaptive);
  w->fakes[1].noise = 0.3;
  w->fakes[2].crashes = TRUE;
  w->cells[3].measure.max_rounds = 4;
  run(w);
  g_assert_cmpuint(rounds_of(w, 0), ==, 6);
  g_assert_cmpuint(rounds_of(w, 1), ==, 20);
  g_assert_cmpuint(rounds_of(w, 2), ==, 2);
  g_assert_cmpuint(rounds_of(w, 3), ==, 4);
  /* The mandatory rounds come first, each over all cells. */
  for (guint round = 0; round < 2; round++)
    for (guint i = 0; i < 4; i++)
      g_assert_nonnull(memchr(w->order->str + round * 4, w->cells[i].id[0], 4));
}

static void test_seed(void) {
  BhMeasure measure = adaptive;
  measure.precision = 0;
  measure.max_rounds = 12;
  g_autoptr(World) one = world_new(8, measure), same = world_new(8, measure), other = world_new(8, measure);
  other->plan.seed = 8;
  run(one), run(same), run(other);
  g_assert_cmpuint(one->visits, ==, 96);
  g_assert_cmpstr(one->order->str, ==, same->order->str);
  g_assert_cmpstr(one->order->str, !=, other->order->str);
  /* Passes are not all in one order. */
  g_assert_cmpint(strncmp(one->order->str + 16, one->order->str + 24, 8), !=, 0);
}

/* 10 s: all of it is used, not more; most rounds and still the widest interval where values vary most. */
static void test_budget(void) {
  BhMeasure measure = adaptive;
  measure.max_rounds = 0;
  measure.budget_ns = 10000 * MS;
  g_autoptr(World) w = world_new(4, measure);
  static const double noise[] = {0.002, 0.1, 0.4, 0.1};
  for (guint i = 0; i < 4; i++)
    w->fakes[i].noise = noise[i];
  w->fakes[3].fixed_ns = 400 * MS;
  const BhScheduleEnd end = run(w);
  g_assert_cmpuint(end.left_out, ==, 0);
  g_assert_cmpint(w->clock_ns, <=, 10000 * MS);
  g_assert_cmpint(w->clock_ns, >, 9000 * MS);
  g_assert_cmpuint(rounds_of(w, 2), >, rounds_of(w, 1));
  g_assert_cmpuint(rounds_of(w, 1), >, rounds_of(w, 3));
  g_assert_cmpfloat(half_of(w, 2), >, half_of(w, 1));
  g_assert_cmpfloat(half_of(w, 1), >, half_of(w, 0));
}

/* All precise: the rest of the budget is not spent. */
static void test_enough(void) {
  BhMeasure measure = adaptive;
  measure.max_rounds = 0;
  measure.budget_ns = 60000 * MS;
  g_autoptr(World) w = world_new(3, measure);
  run(w);
  g_assert_cmpuint(w->visits, ==, 18);
  g_assert_cmpint(w->clock_ns, ==, 18 * 110 * MS);
}

/* Without top-ups the mandatory rounds have all of the budget, evenly; who needs less, and who crashes, gives back. */
static void test_shares(void) {
  BhMeasure measure = adaptive;
  measure.max_rounds = 2;
  measure.max_time_ns = 10000 * MS;
  measure.budget_ns = 8000 * MS;
  g_autoptr(World) even = world_new(4, measure), uneven = world_new(4, measure);
  BhScheduleEnd end = run(even);
  g_assert_cmpuint(end.left_out, ==, 0);
  g_assert_cmpint(even->clock_ns, <=, 8000 * MS);
  g_assert_cmpint(even->clock_ns, >, 7900 * MS);
  g_assert_cmpint(even->least_share_ns, ==, 1000 * MS);
  g_assert_cmpint(even->most_share_ns, ==, 1000 * MS);
  uneven->fakes[0].crashes = TRUE;
  uneven->cells[1].measure.max_time_ns = 90 * MS;
  end = run(uneven);
  g_assert_cmpuint(end.left_out, ==, 0);
  g_assert_cmpint(uneven->clock_ns, <=, 8000 * MS);
  g_assert_cmpint(uneven->clock_ns, >, 7600 * MS);
  g_assert_cmpint(uneven->most_share_ns, >=, 1800 * MS); /* two cells, four visits, 8 s less 2 x 0.1 s */
}

/* Half a second for eight cells whose visits take 100 ms at the least: what begins in time, or as a cell's only visit
 * hardly later, is made, once each, and the rest is counted. */
static void test_too_small(void) {
  BhMeasure measure = adaptive;
  measure.budget_ns = 500 * MS;
  g_autoptr(World) w = world_new(8, measure);
  for (guint i = 0; i < 8; i++)
    w->fakes[i].fixed_ns = 100 * MS;
  const BhScheduleEnd end = run(w);
  g_assert_cmpuint(w->visits, ==, 6);
  g_assert_cmpuint(end.unvisited, ==, 2);
  g_assert_cmpuint(end.left_out, ==, 10);
  g_assert_cmpint(w->clock_ns, <=, 600 * MS);
  g_assert_cmpint(w->least_share_ns, >=, MS);
  g_assert_cmpfloat(bh_schedule_least_ns(&w->plan), >, 0);
}

/* Cut anywhere, a run that goes on ends where it would have ended: nothing twice (that would be refused), nothing left
 * out, nothing more. */
static void test_resume(void) {
  g_autoptr(World) whole = world_new(4, adaptive);
  whole->fakes[1].noise = 0.3;
  whole->fakes[2].noise = 0.03;
  run(whole);
  for (guint cut = 1; cut < whole->visits; cut++) {
    g_autoptr(World) w = world_new(4, adaptive);
    memcpy(w->fakes, whole->fakes, sizeof w->fakes);
    w->stop_after = cut;
    run(w);
    g_assert_cmpuint(w->visits, ==, cut);
    w->stop_after = 0;
    run(w);
    g_assert_cmpuint(w->visits, ==, whole->visits);
    for (guint i = 0; i < 4; i++)
      g_assert_cmpuint(rounds_of(w, i), ==, rounds_of(whole, i));
    const guint before = w->visits;
    run(w); /* there is nothing left to do */
    g_assert_cmpuint(w->visits, ==, before);
  }
}

/* What earlier sessions spent is spent. */
static void test_resume_budget(void) {
  BhMeasure measure = adaptive;
  measure.max_rounds = 0;
  measure.precision = 0;
  measure.budget_ns = 5000 * MS;
  for (guint cut = 1; cut < 40; cut += 6) {
    g_autoptr(World) w = world_new(3, measure);
    w->stop_after = cut;
    run(w);
    w->stop_after = 0;
    run(w);
    g_assert_cmpint(w->clock_ns, <=, 5000 * MS);
    g_assert_cmpint(w->clock_ns, >, 4800 * MS);
  }
}

static void strike(World *w, const char *id, guint round) {
  g_autoptr(GError) error = NULL;
  g_autofree char *text = g_strdup_printf("{\"type\":\"retry\",\"id\":\"%s\",\"round\":%u}", id, round);
  g_autoptr(JsonNode) node = json_from_string(text, NULL);
  g_assert_true(bh_results_add(w->results, json_node_get_object(node), &error));
  g_assert_no_error(error);
}

/* Also what noise made void: rejecting must not make a resumed run longer than its budget. */
static void test_resume_struck(void) {
  BhMeasure measure = adaptive;
  measure.max_rounds = 0;
  measure.precision = 0;
  measure.budget_ns = 5000 * MS;
  g_autoptr(World) w = world_new(3, measure);
  w->stop_after = 12;
  run(w);
  for (guint i = 0; i < 3; i++)
    strike(w, w->cells[i].id, 1);
  w->stop_after = 0;
  const BhScheduleEnd end = run(w);
  g_assert_cmpuint(end.left_out, ==, 0);
  g_assert_cmpint(w->clock_ns, <=, 5000 * MS);
  g_assert_cmpint(w->clock_ns, >, 4800 * MS);
}

/* The second round is struck once, when all mandatory visits were made: the time that is left is shared anew. */
static gboolean strike_once(void *user, gint round, gboolean *ret_again, GError **error) {
  World *w = user;
  (void)error;
  *ret_again = round == 1 && w->stop_after == G_MAXUINT;
  if (!*ret_again)
    return TRUE;
  w->stop_after = 0;
  for (guint i = 0; i < w->plan.cells->len; i++)
    strike(w, w->cells[i].id, 1);
  w->most_share_ns = 0;
  return TRUE;
}

static void test_struck_round(void) {
  BhMeasure measure = adaptive;
  measure.max_rounds = 2;
  measure.max_time_ns = 900 * MS;
  measure.budget_ns = 8000 * MS;
  g_autoptr(World) w = world_new(4, measure);
  w->stop_after = G_MAXUINT;
  const BhScheduleHost host = {.user = w,
                               .visit = fake_visit,
                               .round_over = strike_once,
                               .ended = fake_ended,
                               .now_ns = fake_now,
                               .outlook = fake_outlook};
  g_autoptr(GError) error = NULL;
  BhScheduleEnd end;
  g_assert_true(bh_schedule_run(&w->plan, w->results, &host, &end, &error));
  g_assert_cmpuint(end.left_out, ==, 0);
  g_assert_cmpuint(w->visits, ==, 12);
  /* 8 x 910 ms are gone: 720 ms are left for 4 visits that would like 910 each. */
  g_assert_cmpint(w->most_share_ns, ==, 180 * MS);
  g_assert_cmpint(w->clock_ns, ==, 8000 * MS);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/engine/fixed", test_fixed);
  g_test_add_func("/engine/precision", test_precision);
  g_test_add_func("/engine/seed", test_seed);
  g_test_add_func("/engine/budget", test_budget);
  g_test_add_func("/engine/enough", test_enough);
  g_test_add_func("/engine/shares", test_shares);
  g_test_add_func("/engine/too-small", test_too_small);
  g_test_add_func("/engine/resume", test_resume);
  g_test_add_func("/engine/resume-budget", test_resume_budget);
  g_test_add_func("/engine/resume-struck", test_resume_struck);
  g_test_add_func("/engine/struck-round", test_struck_round);
  return g_test_run();
}
