/* SPDX-License-Identifier: MIT
 * The figure that decides: where each of them stands in a record, its unit and its better direction, and what it is
 * when the record does not have it. */
#include "results/primary.h"

#include <string.h>

#define RUN "{\"type\":\"run\",\"schema\":1,\"measure\":{\"primary\":\"cpu\"}}\n"
#define HEAD "{\"type\":\"cell\",\"workload\":\"w\",\"backend\":\"b\",\"round\":0,"
#define FULL                                                                                                           \
  HEAD "\"id\":\"a\",\"status\":\"ok\",\"steady\":{\"samples_ns\":[3,1,2.5,9]},\"total\":{\"median_ns\":7},"           \
       "\"cpu\":{\"median_ns\":5.5},\"memory\":{\"peak_bytes\":4096},\"primary\":\"metric:fps\","                      \
       "\"counters\":{\"instructions\":{\"median\":1234},\"energy\":{\"median\":2,\"unit\":\"J\"},"                    \
       "\"cycles\":{\"unavailable\":\"not allowed\",\"median\":null}},"                                                \
       "\"metrics\":{\"fps\":{\"unit\":\"1/s\",\"better\":\"higher\",\"median\":60},"                                  \
       "\"lag\":{\"unit\":\"ms\",\"better\":\"lower\",\"median\":4}}}\n"
#define BARE HEAD "\"id\":\"b\",\"status\":\"ok\",\"steady\":{\"samples_ns\":[4]}}\n"
#define WRONG                                                                                                          \
  HEAD "\"id\":\"c\",\"status\":\"wrong\",\"reason\":\"no\",\"steady\":{\"samples_ns\":[4]},"                          \
       "\"metrics\":{\"fps\":{\"median\":60}}}\n"

static BhResults *load(void) {
  g_autoptr(GError) error = NULL;
  const char *text = RUN FULL BARE WRONG;
  BhResults *results = bh_results_parse(text, strlen(text), "j", &error);
  g_assert_no_error(error);
  return results;
}

static void check(const BhCellRecord *record, const char *text, double value, bh_better better, const char *unit) {
  BhPrimary primary;
  double seen = -1;
  bh_better seen_better = BH_LOWER;
  const char *seen_unit = NULL;
  g_assert_true(bh_primary_parse(text, &primary));
  g_assert_true(bh_results_primary(record, &primary, &seen, &seen_better, &seen_unit));
  g_assert_cmpfloat(seen, ==, value);
  g_assert_cmpint(seen_better, ==, better);
  g_assert_cmpstr(seen_unit, ==, unit);
  g_autofree char *back = bh_results_primary_text(&primary);
  g_assert_cmpstr(back, ==, text);
}

static void check_none(const BhCellRecord *record, const char *text) {
  BhPrimary primary;
  double seen = -1;
  bh_better better = BH_HIGHER;
  const char *unit = "untouched";
  g_assert_true(bh_primary_parse(text, &primary));
  g_assert_false(bh_results_primary(record, &primary, &seen, &better, &unit));
  g_assert_cmpfloat(seen, ==, -1);
  g_assert_cmpint(better, ==, BH_HIGHER);
  g_assert_cmpstr(unit, ==, "untouched");
}

static void test_values(void) {
  g_autoptr(BhResults) results = load();
  const BhCellRecord *full = results->records->pdata[0];
  check(full, "wall", 2.75, BH_LOWER, "ns");
  check(full, "total", 7, BH_LOWER, "ns");
  check(full, "cpu", 5.5, BH_LOWER, "ns");
  check(full, "memory", 4096, BH_LOWER, "bytes");
  check(full, "counter:instructions", 1234, BH_LOWER, "");
  check(full, "counter:energy", 2, BH_LOWER, "J");
  check(full, "metric:fps", 60, BH_HIGHER, "1/s");
  check(full, "metric:lag", 4, BH_LOWER, "ms");
  g_assert_true(bh_results_primary(full, &(BhPrimary){.kind = BH_PRIMARY_WALL}, NULL, NULL, NULL));
}

static void test_missing(void) {
  static const char *const all[] = {"total", "cpu", "memory", "counter:instructions", "metric:fps"};
  g_autoptr(BhResults) results = load();
  const BhCellRecord *full = results->records->pdata[0], *bare = results->records->pdata[1],
                     *wrong = results->records->pdata[2];
  check_none(full, "counter:cycles");
  check_none(full, "counter:no-such");
  check_none(full, "metric:no-such");
  check(bare, "wall", 4, BH_LOWER, "ns");
  for (guint i = 0; i < G_N_ELEMENTS(all); i++) {
    check_none(bare, all[i]);
    check_none(wrong, all[i]);
  }
  check_none(wrong, "wall");
}

/* The line's own, else the run's, else the wall time. */
static void test_whose(void) {
  g_autoptr(BhResults) results = load(), empty = bh_results_new();
  BhPrimary primary = bh_results_primary_of(results, results->records->pdata[0]);
  g_assert_cmpint(primary.kind, ==, BH_PRIMARY_METRIC);
  g_assert_cmpstr(primary.name, ==, "fps");
  primary = bh_results_primary_of(results, results->records->pdata[1]);
  g_assert_cmpint(primary.kind, ==, BH_PRIMARY_CPU);
  primary = bh_results_primary_of(empty, results->records->pdata[1]);
  g_assert_cmpint(primary.kind, ==, BH_PRIMARY_WALL);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/primary/values", test_values);
  g_test_add_func("/primary/missing", test_missing);
  g_test_add_func("/primary/whose", test_whose);
  return g_test_run();
}
