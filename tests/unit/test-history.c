/* SPDX-License-Identifier: MIT
 * Stored runs: what is kept of a journal, how two of them are matched and read, the store, series, and the plain table
 * that shows them. Values by hand. */
#include "history/compare.h"
#include "history/machine.h"
#include "history/select.h"
#include "history/spark.h"
#include "history/store.h"
#include "history/timeline.h"
#include "results/csv.h"
#include "results/grid.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

/* ---- made-up runs ---- */

static void add_cell(GString *text, const char *id, const char *side, guint round, double ns) {
  g_string_append_printf(
      text,
      "{\"type\":\"cell\",\"id\":\"%s\",\"label\":\"w n=%s | b\",\"workload\":\"w\",\"backend\":\"b\","
      "\"params\":{\"n\":%s},\"options\":{},\"round\":%u,\"status\":\"ok\",\"reason\":null,"
      "\"steady\":{\"samples_ns\":[%.1f,%.1f,%.1f]},\"total\":{\"median_ns\":%.1f}}\n",
      id, side, side, round, ns - 1, ns, ns + 2, 10 * ns);
}

/* Rounds of `n` times; `started` also tells journals apart. */
static GPtrArray *made(const char *id, const char *side, const double *ns, guint n, const char *started) {
  g_autoptr(GString) text = g_string_new(NULL);
  g_autoptr(GError) error = NULL;
  g_string_append_printf(text, "{\"type\":\"run\",\"schema\":1,\"started\":\"%s\",\"matrix\":{\"name\":\"m\"}}\n",
                         started);
  for (guint r = 0; r < n; r++)
    add_cell(text, id, side, r, ns[r]);
  g_string_append(text, "{\"type\":\"end\"}\n");
  GPtrArray *runs = bh_stored_parse(text->str, text->len, "j", NULL, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(runs->len, ==, 1);
  return runs;
}

static const double six[] = {100, 101, 102, 103, 104, 105};

static void test_stored(void) {
  g_autoptr(GPtrArray) runs = made("a", "1", six, 6, "2026");
  const BhStored *run = runs->pdata[0];
  const BhStoredCell *cell = run->cells->pdata[0];
  g_assert_true(run->finished);
  g_assert_cmpuint(run->rounds, ==, 6);
  g_assert_cmpuint(strlen(run->digest), ==, 64);
  g_assert_cmpstr(cell->figure, ==, "wall");
  g_assert_cmpstr(cell->unit, ==, "ns");
  g_assert_cmpfloat(cell->median, ==, 102.5);
  g_assert_cmpint(cell->basis, ==, BH_BASIS_ROUNDS);
  g_assert_cmpuint(cell->values->len, ==, 6);
  g_assert_cmpuint(cell->n, ==, 18);
  g_assert_cmpfloat(cell->total_ns, ==, 1025);
  /* 5 rounds: the median of all 15 samples, within one process. */
  g_autoptr(GPtrArray) fewer = made("a", "1", six, 5, "2026");
  const BhStoredCell *few = ((const BhStored *)fewer->pdata[0])->cells->pdata[0];
  g_assert_cmpfloat(few->median, ==, 102);
  g_assert_cmpint(few->basis, ==, BH_BASIS_SAMPLES);
}

static GPtrArray *joined(GPtrArray *a, GPtrArray *b) {
  GPtrArray *both = g_ptr_array_new();
  g_ptr_array_add(both, a->pdata[0]);
  g_ptr_array_add(both, b->pdata[0]);
  return both;
}

static const BhCompareSide *only_side(const BhCompare *compare) {
  g_assert_cmpuint(compare->cells->len, ==, 1);
  return &((const BhCompareCell *)compare->cells->pdata[0])->sides[1];
}

/* All values doubled: the median of the 36 ratios lies between those next to 2, and the interval excludes 1. */
static void test_ratio(void) {
  double doubled[6];
  for (guint i = 0; i < 6; i++)
    doubled[i] = 2 * six[i];
  g_autoptr(GPtrArray) old = made("a", "1", six, 6, "2026");
  g_autoptr(GPtrArray) now = made("a", "1", doubled, 6, "2027");
  g_autoptr(GPtrArray) runs = joined(old, now);
  g_autoptr(GPtrArray) back = joined(now, old);
  g_autoptr(BhCompare) compare = bh_compare_new(runs, &(BhCompareOptions){.threshold = 0.5}, NULL);
  const BhCompareSide *side = only_side(compare);
  g_assert_cmpfloat_with_epsilon(side->ratio, 2, 1e-12);
  g_assert_true(side->has_interval && side->low > 1.9 && side->high < 2.1);
  g_assert_cmpint(side->reading, ==, BH_READING_SLOWER);
  g_assert_cmpuint(compare->beyond, ==, 1);
  g_autoptr(BhCompare) reverse = bh_compare_new(back, &(BhCompareOptions){.threshold = 0.1}, NULL);
  g_assert_cmpfloat_with_epsilon(only_side(reverse)->ratio, 0.5, 1e-12);
  g_assert_cmpint(only_side(reverse)->reading, ==, BH_READING_FASTER);
  g_assert_cmpuint(reverse->beyond, ==, 0);
}

/* What has no figure in one run is in no ratio, and a change of sides changes nothing about it. */
static void test_threshold_needs_an_interval(void) {
  double tenfold[5];
  for (guint i = 0; i < 5; i++)
    tenfold[i] = 10 * six[i];
  g_autoptr(GPtrArray) old = made("a", "1", six, 6, "2026");
  g_autoptr(GPtrArray) now = made("a", "1", tenfold, 5, "2027");
  g_autoptr(GPtrArray) runs = joined(old, now);
  g_autoptr(BhCompare) compare = bh_compare_new(runs, &(BhCompareOptions){.threshold = 0.1}, NULL);
  g_assert_cmpfloat_with_epsilon(only_side(compare)->ratio, 1020 / 102.5, 1e-9);
  g_assert_false(only_side(compare)->has_interval);
  g_assert_cmpint(only_side(compare)->reading, ==, BH_READING_UNCLEAR);
  g_assert_cmpuint(compare->beyond, ==, 0);
}

static void test_near(void) {
  g_autoptr(GPtrArray) old = made("a", "1", six, 6, "2026");
  g_autoptr(GPtrArray) now = made("b", "2", six, 6, "2027");
  g_autoptr(GPtrArray) runs = joined(old, now);
  g_autoptr(BhCompare) compare = bh_compare_new(runs, &(BhCompareOptions){0}, NULL);
  g_assert_cmpuint(compare->cells->len, ==, 0);
  g_assert_cmpuint(compare->lonely->len, ==, 2);
  const BhCompareLonely *removed = compare->lonely->pdata[0];
  const BhCompareNear *near = removed->near->pdata[0];
  g_assert_cmpstr(near->name, ==, "n");
  g_assert_cmpstr(near->own, ==, "1");
  g_assert_cmpstr(near->other, ==, "2");
}

static void test_select(void) {
  g_autoptr(GPtrArray) runs = made("a", "17", six, 1, "2026");
  const BhStoredCell *cell = ((const BhStored *)runs->pdata[0])->cells->pdata[0];
  const struct {
    const char *filter;
    gboolean matches;
  } table[] = {{"w", TRUE},       {"w*b", TRUE},  {"x", FALSE},        {"n=17", TRUE},
               {"n=1", FALSE},    {"n=1*", TRUE}, {"n=3,17", TRUE},    {"w.n=17", TRUE},
               {"b.n=17", FALSE}, {"id=a", TRUE}, {"backend=b", TRUE}, {"m=1", FALSE}};
  for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
    const char *filters[] = {table[i].filter, NULL};
    g_autoptr(BhSelect) select = bh_select_new(filters, NULL);
    g_assert_cmpint(bh_select_matches(select, cell), ==, table[i].matches);
  }
  const char *empty[] = {"", NULL};
  g_autoptr(GError) error = NULL;
  g_assert_null(bh_select_new(empty, &error));
  g_assert_error(error, BH_ERROR, BH_ERROR_USAGE);
}

/* ---- the store ---- */

typedef struct {
  char *folder, *path;
} Place;

static void set_up(Place *place, gconstpointer data) {
  (void)data;
  place->folder = g_dir_make_tmp("history-XXXXXX", NULL);
  place->path = g_build_filename(place->folder, "h.sqlite", NULL);
}

static void tear_down(Place *place, gconstpointer data) {
  (void)data;
  g_unlink(place->path);
  g_rmdir(place->folder);
  g_free(place->path);
  g_free(place->folder);
}

static gint64 put(BhStore *store, const double *ns, guint n, const char *started, const char *commit) {
  g_autoptr(GPtrArray) runs = made("aaaaaaaaaaaa", "1", ns, n, started);
  g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(gint64));
  g_autoptr(GError) error = NULL;
  bh_store_add(store, runs, &(BhStoreTags){.commit = commit}, ids, &error);
  g_assert_no_error(error);
  return g_array_index(ids, gint64, 0);
}

/* What comes out is what went in, bit for bit. */
static void test_round_trip(Place *place, gconstpointer data) {
  (void)data;
  const double odd[] = {0.1 + 0.2, 1e-3, 1e17, 123456789.125, 3, 5.5};
  g_autoptr(GError) error = NULL;
  g_autoptr(BhStore) store = bh_store_open(place->path, TRUE, &error);
  g_assert_no_error(error);
  g_autoptr(GPtrArray) runs = made("aaaaaaaaaaaa", "1", six, 6, "2026");
  BhStored *run = runs->pdata[0];
  BhStoredCell *cell = run->cells->pdata[0];
  memcpy(cell->values->data, odd, sizeof odd);
  cell->median = odd[0];
  cell->low = odd[1];
  cell->high = odd[2];
  g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(gint64));
  g_assert_true(bh_store_add(store, runs, &(BhStoreTags){.commit = "c", .dirty = TRUE}, ids, &error));
  g_autoptr(BhStoreHistory) history = bh_store_history(store, &(BhStoreQuery){0}, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(history->series->len, ==, 1);
  const BhStoreSeries *series = history->series->pdata[0];
  const BhStorePoint *point = series->points->pdata[0];
  g_assert_cmpuint(point->cell->values->len, ==, 6);
  for (guint i = 0; i < 6; i++)
    g_assert_true(g_array_index(point->cell->values, double, i) == odd[i]);
  g_assert_true(point->cell->median == cell->median && point->cell->low == cell->low);
  g_autofree char *commit = bh_store_commit_text(point->run);
  g_assert_cmpstr(commit, ==, "c+");
  g_assert_false(bh_store_add(store, runs, &(BhStoreTags){0}, ids, &error));
  g_assert_error(error, BH_ERROR, BH_ERROR_USAGE);
  g_assert_cmpuint(ids->len, ==, 1);
}

/* Ordered by when they were measured, not by when they were added; queries choose. */
static void test_queries(Place *place, gconstpointer data) {
  (void)data;
  g_autoptr(BhStore) store = bh_store_open(place->path, TRUE, NULL);
  put(store, six, 6, "2026-03-01", "c3");
  put(store, six, 6, "2026-01-01", "c1");
  put(store, six, 6, "2026-02-01", "c2");
  const struct {
    BhStoreQuery query;
    guint n;
  } table[] = {{{0}, 3},
               {{.since = "2026-02"}, 2},
               {{.cell = "aaaaaa"}, 3},
               {{.cell = "aaaaa"}, 0}, /* too short for an id, and no part of the label */
               {{.cell = "w n=*"}, 3},
               {{.cell = "n=1"}, 3},
               {{.machine = "nowhere"}, 0},
               {{.branch = "main"}, 0}};
  for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
    g_autoptr(BhStoreHistory) history = bh_store_history(store, &table[i].query, NULL);
    const BhStoreSeries *series = history->series->len ? history->series->pdata[0] : NULL;
    g_assert_cmpuint(series ? series->points->len : 0, ==, table[i].n);
    for (guint k = 1; series && k < series->points->len; k++)
      g_assert_cmpstr(((const BhStorePoint *)series->points->pdata[k - 1])->run->started, <,
                      ((const BhStorePoint *)series->points->pdata[k])->run->started);
  }
}

static void test_changes(Place *place, gconstpointer data) {
  (void)data;
  g_autoptr(BhStore) store = bh_store_open(place->path, TRUE, NULL);
  for (guint i = 0; i < 12; i++) {
    const double level = (i < 7 ? 100 : 150) + i % 3;
    const double ns[] = {level, level, level, level, level, level};
    g_autofree char *started = g_strdup_printf("2026-01-%02u", i + 1);
    put(store, ns, 6, started, "c");
  }
  g_autoptr(BhStoreHistory) history = bh_store_history(store, &(BhStoreQuery){0}, NULL);
  const BhTimelineTest test = bh_timeline_test_default();
  guint tested;
  g_autoptr(GPtrArray) changes = bh_timeline_changes(history, &test, &tested);
  g_assert_cmpuint(tested, ==, 1);
  g_assert_cmpuint(changes->len, ==, 1);
  const BhTimelineChange *change = changes->pdata[0];
  g_assert_cmpstr(change->before->run->started, ==, "2026-01-07");
  g_assert_cmpstr(change->after->run->started, ==, "2026-01-08");
  g_assert_cmpfloat(change->from, ==, 101);
  g_assert_cmpfloat(change->to, ==, 151);
  g_assert_cmpuint(change->n_before, ==, 7);
  g_assert_cmpuint(change->n_after, ==, 5);
  g_assert_true(change->p > 0 && change->p <= 0.05);
  g_autofree char *text = bh_timeline_changes_text(changes, tested, &test, &(BhTimelineLook){.ascii = TRUE});
  g_assert_true(g_str_has_prefix(text, "Advisory"));
  g_assert_nonnull(strstr(text, "(+50%)"));
}

/* 2 of 70 arrangements are below 0.05, 2 of 35 are not; 2 of 20 are 0.1. */
static void test_seven_runs_are_not_tested(Place *place, gconstpointer data) {
  (void)data;
  g_assert_cmpuint(bh_timeline_least(0.5), ==, 6);
  g_assert_cmpuint(bh_timeline_least(0.1), ==, 6);
  g_assert_cmpuint(bh_timeline_least(0.06), ==, 7);
  g_assert_cmpuint(bh_timeline_least(0.05), ==, 8);
  g_assert_cmpuint(bh_timeline_least(0.01), ==, 10);
  g_autoptr(BhStore) store = bh_store_open(place->path, TRUE, NULL);
  for (guint i = 0; i < 7; i++) {
    g_autofree char *started = g_strdup_printf("2026-01-%02u", i + 1);
    put(store, six, 6, started, NULL);
  }
  g_autoptr(BhStoreHistory) history = bh_store_history(store, &(BhStoreQuery){0}, NULL);
  const BhTimelineTest test = bh_timeline_test_default();
  guint tested = 9;
  g_autoptr(GPtrArray) changes = bh_timeline_changes(history, &test, &tested);
  g_assert_cmpuint(tested, ==, 0);
  g_assert_cmpuint(changes->len, ==, 0);
}

/* ---- texts ---- */

static void test_spark(void) {
  const struct {
    double x[5];
    guint n, most;
    const char *text;
  } table[] = {{{1, 2, 3}, 3, 9, "_=#"},     {{1, 1.001, 1}, 3, 9, "==="}, {{0}, 0, 9, ""},
               {{0, 0, 0}, 3, 9, "==="},     {{-1, 0, 1}, 3, 9, "_=#"},    {{1, 1, 9, 9}, 4, 2, "_#"},
               {{1, 1, 1, 9, 9}, 5, 2, "_#"}};
  for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
    g_autofree char *text = bh_spark(table[i].x, table[i].n, table[i].most, TRUE);
    g_assert_cmpstr(text, ==, table[i].text);
  }
}

static BhGrid *small_grid(void) {
  BhGrid *grid = bh_grid_new(FALSE);
  bh_grid_column(grid, "name", FALSE, 0);
  bh_grid_column(grid, "empty", FALSE, 0);
  bh_grid_column(grid, "spare", TRUE, 2);
  bh_grid_column(grid, "x", TRUE, 1);
  bh_grid_row(grid);
  bh_grid_put(grid, "a|b");
  bh_grid_put(grid, NULL);
  bh_grid_put(grid, "1");
  bh_grid_put(grid, "22");
  bh_grid_row(grid);
  bh_grid_put(grid, "c\n");
  bh_grid_rest(grid, "why not");
  return grid;
}

static void test_grid(void) {
  g_autoptr(BhGrid) grid = small_grid();
  g_autoptr(GString) text = g_string_new(NULL);
  g_assert_false(bh_grid_draw(grid, text, 0, FALSE));
  g_assert_cmpstr(text->str, ==, "name  spare   x\na|b       1  22\nc     why not\n");
  g_string_truncate(text, 0);
  g_assert_true(bh_grid_draw(grid, text, 10, FALSE));
  g_assert_true(g_str_has_prefix(text->str, "name   x\na|b   22\n"));
  g_string_truncate(text, 0);
  bh_grid_markdown(grid, text);
  g_assert_cmpstr(text->str, ==,
                  "| name | empty | spare | x |\n|---|---|---:|---:|\n| a\\|b |  | 1 | 22 |\n| c  | why not |  |  |\n");
}

static void test_csv(void) {
  g_autoptr(GString) out = g_string_new(NULL);
  gboolean started = FALSE;
  bh_csv_text(out, &started, "=1");
  bh_csv_text(out, &started, "a\"b,c");
  bh_csv_text(out, &started, NULL);
  bh_csv_number(out, &started, TRUE, 0.1);
  bh_csv_number(out, &started, TRUE, NAN);
  g_assert_cmpstr(out->str, ==, "'=1,\"a\"\"b,c\",,0.1,");
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/history/stored", test_stored);
  g_test_add_func("/history/ratio", test_ratio);
  g_test_add_func("/history/threshold-needs-an-interval", test_threshold_needs_an_interval);
  g_test_add_func("/history/near", test_near);
  g_test_add_func("/history/select", test_select);
  g_test_add("/history/round-trip", Place, NULL, set_up, test_round_trip, tear_down);
  g_test_add("/history/queries", Place, NULL, set_up, test_queries, tear_down);
  g_test_add("/history/changes", Place, NULL, set_up, test_changes, tear_down);
  g_test_add("/history/seven-runs", Place, NULL, set_up, test_seven_runs_are_not_tested, tear_down);
  g_test_add_func("/history/spark", test_spark);
  g_test_add_func("/history/grid", test_grid);
  g_test_add_func("/history/csv", test_csv);
  return g_test_run();
}
