/* SPDX-License-Identifier: MIT
 * The final table: as a whole against stored ones (tests/data/golden, read by a person when they were made), and the
 * figures in it against values worked by hand. BENCHHOST_GOLDEN=write stores them anew. */
#include "results/display.h"
#include "results/merge.h"
#include "results/report.h"
#include "results/view.h"

#include <math.h>
#include <string.h>

static char *data_path(const char *name) {
  return g_build_filename(g_getenv("SOURCE_ROOT"), "tests", "data", name, NULL);
}

static BhResults *load(const char *name) {
  g_autofree char *path = data_path(name);
  g_autoptr(GError) error = NULL;
  BhResults *results = bh_results_load(path, &error);
  g_assert_no_error(error);
  /* The stored tables must not name this machine's folders. */
  g_free(results->path);
  results->path = g_strdup(name);
  return results;
}

static void compare_golden(const char *journal, const char *golden, guint width, gboolean ascii) {
  g_autoptr(BhResults) results = load(journal);
  g_autofree char *table = bh_report_table_width(results, FALSE, width, ascii);
  g_autofree char *name = g_build_filename("golden", golden, NULL);
  g_autofree char *path = data_path(name);
  g_autofree char *expected = NULL;
  g_autoptr(GError) error = NULL;
  if (!g_strcmp0(g_getenv("BENCHHOST_GOLDEN"), "write"))
    g_file_set_contents(path, table, -1, &error);
  g_assert_no_error(error);
  g_file_get_contents(path, &expected, NULL, &error);
  g_assert_no_error(error);
  g_assert_cmpstr(table, ==, expected);
}

static void test_golden(void) {
  compare_golden("pools.jsonl", "pools-80.txt", 80, FALSE);
  compare_golden("pools.jsonl", "pools-60.txt", 60, FALSE);
  compare_golden("pools.jsonl", "pools-0.txt", 0, FALSE);
  compare_golden("pools.jsonl", "pools-80-ascii.txt", 80, TRUE);
  compare_golden("rounds.jsonl", "rounds-80.txt", 80, FALSE);
  compare_golden("rounds.jsonl", "rounds-60.txt", 60, FALSE);
  compare_golden("rounds.jsonl", "rounds-0.txt", 0, FALSE);
}

static void test_width(void) {
  g_autoptr(BhResults) results = load("pools.jsonl");
  for (guint width = 80; width < 200; width += 7) {
    g_autofree char *table = bh_report_table_width(results, FALSE, width, FALSE);
    g_auto(GStrv) lines = g_strsplit(table, "\n", -1);
    for (guint i = 0; lines[i]; i++)
      g_assert_cmpuint(bh_display_width(lines[i]), <=, width);
  }
  g_autofree char *ascii = bh_report_table_width(results, FALSE, 100, TRUE);
  g_assert_true(g_str_is_ascii(ascii));
}

static void test_color(void) {
  g_autoptr(BhResults) results = load("pools.jsonl");
  g_autofree char *plain = bh_report_table_width(results, FALSE, 80, FALSE);
  g_autofree char *color = bh_report_table_width(results, TRUE, 80, FALSE);
  g_assert_null(strchr(plain, '\033'));
  g_assert_nonnull(strstr(color, "\033[31mwrong\033[0m"));
  /* Colours change no character of the table. */
  g_autoptr(GRegex) escapes = g_regex_new("\033\\[[0-9;]*m", 0, 0, NULL);
  g_autofree char *stripped = g_regex_replace_literal(escapes, color, -1, 0, "", 0, NULL);
  g_assert_cmpstr(stripped, ==, plain);
}

/* 10 rounds; the medians of round r are 100 + r and 50 + r us, and so are the totals in ms. By hand: medians 104.5
 * and 54.5; at 95 % the limits lie 73/111 of the way (test-stats.c) from the 2nd to the 3rd, and so from the
 * other end. Ratios fall with r: (100 + r) / (50 + r); their middle two are of rounds 4 and 5. */
static void test_rounds(void) {
  g_autoptr(BhResults) results = load("rounds.jsonl");
  g_autoptr(GPtrArray) cells = bh_merge_cells(results);
  g_assert_cmpuint(cells->len, ==, 2);
  const BhMerged *serial = cells->pdata[0], *pthread = cells->pdata[1];
  g_assert_true(serial->base == serial && pthread->base == serial);
  g_assert_cmpint(serial->steady.basis, ==, BH_BASIS_ROUNDS);
  g_assert_cmpfloat(serial->steady.median, ==, 104500);
  const double w = 73. / 111;
  g_assert_cmpfloat_with_epsilon(serial->steady.low, 101000 + 1000 * w, 1e-6);
  g_assert_cmpfloat_with_epsilon(serial->steady.high, 108000 - 1000 * w, 1e-6);
  g_assert_cmpfloat_with_epsilon(pthread->steady.low, 51000 + 1000 * w, 1e-6);
  g_assert_cmpfloat_with_epsilon(pthread->steady.high, 58000 - 1000 * w, 1e-6);
  g_assert_cmpuint(pthread->steady.n, ==, 30);
  g_assert_cmpfloat(pthread->steady.min, ==, 49900);
  g_assert_cmpfloat(pthread->total.median, ==, 54.5e6);
  g_assert_cmpfloat(serial->speedup.ratio, ==, 1);
  g_assert_cmpint(serial->speedup.basis, ==, BH_BASIS_NONE);
  g_assert_cmpint(pthread->speedup.basis, ==, BH_BASIS_ROUNDS);
  g_assert_cmpfloat_with_epsilon(pthread->speedup.ratio, (104. / 54 + 105. / 55) / 2, 1e-12);
  g_assert_cmpfloat_with_epsilon(pthread->speedup.low, 108. / 58 + w * (107. / 57 - 108. / 58), 1e-12);
  g_assert_cmpfloat_with_epsilon(pthread->speedup.high, 101. / 51 + w * (102. / 52 - 101. / 51), 1e-12);
  double rate;
  g_assert_true(bh_merge_rate(serial, serial->first->items, &rate));
  g_assert_cmpfloat_with_epsilon(rate, 1000 / 104.5e-6, 1e-3);
}

static const BhMerged *by_id(const GPtrArray *cells, const char *id) {
  for (guint i = 0; i < cells->len; i++)
    if (!strcmp(((const BhMerged *)cells->pdata[i])->first->id, id))
      return cells->pdata[i];
  g_error("no cell %s", id);
}

static void test_pools(void) {
  g_autoptr(BhResults) results = load("pools.jsonl");
  g_autoptr(GPtrArray) cells = bh_merge_cells(results);
  g_assert_cmpuint(cells->len, ==, 9);
  for (guint i = 0; i < cells->len; i++) {
    const BhMerged *cell = cells->pdata[i];
    if (cell->status == BH_CELL_OK)
      continue;
    /* What was not verified has no figure and is in no ratio. */
    g_assert_false(cell->steady.exists || cell->total.exists || cell->speedup.exists || cell->total_speedup.exists);
    g_assert_true(cell->base != cell);
  }
  const BhMerged *two = by_id(cells, "000000000002"), *few = by_id(cells, "000000000003"),
                 *lonely = by_id(cells, "000000000008");
  g_assert_cmpint(two->steady.basis, ==, BH_BASIS_SAMPLES); /* one round: within one process */
  g_assert_cmpfloat(two->speedup.ratio, ==, 2);
  g_assert_cmpfloat(two->total_speedup.ratio, ==, 0.5);
  g_assert_cmpint(two->total_speedup.basis, ==, BH_BASIS_NONE); /* one total per process */
  g_assert_cmpint(few->steady.basis, ==, BH_BASIS_NONE);
  g_assert_cmpstr(few->steady.why, ==, "fewer than 6 samples");
  g_assert_null(lonely->base);
  g_assert_false(lonely->speedup.exists);
}

static BhResults *parse(const char *text) {
  g_autoptr(GError) error = NULL;
  BhResults *results = bh_results_parse(text, strlen(text), "test", &error);
  g_assert_no_error(error);
  return results;
}

#define RUN "{\"type\":\"run\",\"schema\":1}\n"
#define CELL(id, backend, round, workers, more)                                                                        \
  "{\"type\":\"cell\",\"id\":\"" id "\",\"workload\":\"w\",\"backend\":\"" backend "\",\"round\":" #round              \
  ",\"workers\":" #workers "," more "}\n"
#define OK(ns) "\"status\":\"ok\",\"steady\":{\"samples_ns\":[" ns "]}"

/* One bad round takes the whole cell out, also as a base; the worst round is the one that is told. */
static void test_mixed_rounds(void) {
  g_autoptr(BhResults) results =
      parse(RUN CELL("a", "serial", 0, 1, OK("100"))
                CELL("a", "serial", 1, 1, "\"status\":\"wrong\",\"reason\":\"7 is no prime\"")
                    CELL("a", "serial", 2, 1, "\"status\":\"skipped\",\"reason\":\"later\"")
                        CELL("b", "pool", 0, 2, OK("50")));
  g_autoptr(GPtrArray) cells = bh_merge_cells(results);
  const BhMerged *bad = by_id(cells, "a"), *good = by_id(cells, "b");
  g_assert_cmpint(bad->status, ==, BH_CELL_WRONG);
  g_assert_cmpstr(bad->reason, ==, "round 1: 7 is no prime");
  g_assert_false(bad->steady.exists);
  g_assert_cmpuint(bad->rounds_ok, ==, 1);
  g_assert_true(good->steady.exists);
  g_assert_null(good->base);
  g_assert_false(good->speedup.exists);
  g_assert_cmpint(bh_report_exit_status(results, FALSE), ==, BH_EXIT_WRONG);
}

/* Base in rounds 0..6, the other in 0..3, 5..8: six in common, with ratios 2 2 2 2 and then 4 in rounds 5 and 6; the
 * rounds that only one of them has (base 4, the other 7 and 8) count for nothing. A drift by 10 in both cancels. */
static void test_common_rounds(void) {
#define BOTH(round, base, other) CELL("a", "serial", round, 1, OK(base)) CELL("b", "pool", round, 2, OK(other))
  g_autoptr(BhResults) results =
      parse(RUN BOTH(0, "100", "50") BOTH(1, "1000", "500") BOTH(2, "100", "50") BOTH(3, "1000", "500")
                CELL("a", "serial", 4, 1, OK("7777")) BOTH(5, "100", "25") BOTH(6, "1000", "250")
                    CELL("b", "pool", 7, 2, OK("1")) CELL("b", "pool", 8, 2, OK("1")));
  g_autoptr(GPtrArray) cells = bh_merge_cells(results);
  const BhMerged *pool = by_id(cells, "b");
  g_assert_cmpint(pool->speedup.basis, ==, BH_BASIS_ROUNDS);
  g_assert_cmpfloat_with_epsilon(pool->speedup.ratio, 2, 1e-12);
  g_assert_cmpfloat_with_epsilon(pool->speedup.low, 2, 1e-12);
  g_assert_cmpfloat_with_epsilon(pool->speedup.high, 4, 1e-12);
  /* Five in common: from the two medians, over samples. */
  g_autoptr(BhResults) fewer =
      parse(RUN BOTH(0, "100,100", "50,50") BOTH(1, "100,100", "50,50") BOTH(2, "100,100", "50,50")
                BOTH(3, "100,100", "50,50") BOTH(4, "100,100", "50,50") CELL("a", "serial", 5, 1, OK("100")));
  g_autoptr(GPtrArray) few = bh_merge_cells(fewer);
  const BhMerged *other = by_id(few, "b");
  g_assert_cmpint(other->speedup.basis, ==, BH_BASIS_SAMPLES);
  g_assert_cmpfloat_with_epsilon(other->speedup.ratio, 2, 1e-12);
  g_assert_cmpfloat_with_epsilon(other->speedup.low, 2, 1e-12);
}

static gboolean has_flag(const BhMerged *cell, const char *flag) {
  for (guint i = 0; i < cell->flags->len; i++)
    if (!strcmp(cell->flags->pdata[i], flag))
      return TRUE;
  return FALSE;
}

/* What chance sets in a few per cent of processes is no flag of a cell that has many; what half of them have is. */
static void test_flags_by_chance(void) {
#define MODES(id, round, modes, flags)                                                                                 \
  CELL(id, "x", round, 1,                                                                                              \
       "\"status\":\"ok\",\"steady\":{\"samples_ns\":[100],\"modes\":" #modes "},\"flags\":[" flags "]")
#define TWO "\"bimodal\",\"not-pinned\""
  g_autoptr(BhResults) results =
      parse(RUN MODES("a", 0, 2, TWO) MODES("a", 1, 1, "") MODES("a", 2, 1, "\"autocorrelated\"") MODES("b", 0, 2, TWO)
                MODES("b", 1, 3, TWO) MODES("b", 2, 1, "") MODES("c", 0, 2, TWO));
  g_autoptr(GPtrArray) cells = bh_merge_cells(results);
  const BhMerged *chance = by_id(cells, "a"), *most = by_id(cells, "b"), *only = by_id(cells, "c");
  g_assert_false(has_flag(chance, "bimodal"));
  g_assert_false(has_flag(chance, "autocorrelated"));
  g_assert_true(has_flag(chance, "not-pinned")); /* a fact, once is enough */
  g_assert_cmpuint(chance->modes, ==, 1);
  g_assert_true(has_flag(most, "bimodal"));
  g_assert_cmpuint(most->modes, ==, 3);
  g_assert_true(has_flag(only, "bimodal"));
  g_assert_cmpuint(only->modes, ==, 2);
}

static void test_base_choice(void) {
  /* Without a baseline: the fastest with one worker. */
  g_autoptr(BhResults) free_choice =
      parse(RUN CELL("a", "x", 0, 1, OK("100")) CELL("b", "y", 0, 1, OK("80")) CELL("c", "z", 0, 2, OK("40")));
  g_autoptr(GPtrArray) cells = bh_merge_cells(free_choice);
  g_assert_cmpfloat(((BhMerged *)cells->pdata[2])->speedup.ratio, ==, 2);
  g_assert_cmpfloat(((BhMerged *)cells->pdata[0])->speedup.ratio, ==, 0.8);
  /* With one: its cells only, and of those one worker before several. */
  g_autoptr(BhResults) baseline = parse(RUN CELL("a", "x", 0, 1, OK("100") ",\"baseline\":true") CELL(
      "b", "x", 0, 2, OK("60") ",\"baseline\":true") CELL("c", "y", 0, 1, OK("50")));
  g_autoptr(GPtrArray) with = bh_merge_cells(baseline);
  g_assert_cmpstr(((BhMerged *)with->pdata[2])->base->first->id, ==, "a");
  g_assert_cmpfloat(((BhMerged *)with->pdata[2])->speedup.ratio, ==, 2);
}

/* Zero times, huge times: a figure that does not exist is "-", never nan or inf. */
static void test_no_nan(void) {
  g_autoptr(BhResults) results =
      parse(RUN CELL("a", "x", 0, 1, OK("0,0,0,0,0,0,0") ",\"cost\":{\"items\":5,\"flops\":1e308,\"bytes_read\":1}")
                CELL("b", "y", 0, 1, OK("1e-300,1e308,1,1,1,1,1") ",\"cost\":{\"items\":1e308}")
                    CELL("c", "z", 0, 1, OK("1e308,1e308,1e308") ",\"total\":{\"median_ns\":0}"));
  g_autofree char *table = bh_report_table_width(results, FALSE, 0, TRUE);
  g_autofree char *lower = g_ascii_strdown(table, -1);
  g_assert_null(strstr(lower, "nan"));
  g_assert_null(g_regex_match_simple("\\binf", lower, 0, 0) ? lower : NULL);
  g_assert_nonnull(strstr(table, "times of 0 ns"));
}

/* What plugins and journals say reaches no terminal as an escape sequence or a second line. */
static void test_hostile_text(void) {
  g_autoptr(BhResults) results = parse(RUN CELL(
      "a", "x\\u001b[2J", 0, 1,
      "\"status\":\"failed\",\"reason\":\"\\u001b]0;title\\u0007 one\\ntwo\\u009b\\u202e\",\"label\":\"a\\tb | c\""));
  g_autofree char *table = bh_report_table_width(results, FALSE, 0, FALSE);
  g_assert_null(strchr(table, '\033'));
  g_assert_null(strchr(table, '\a'));
  g_assert_null(strstr(table, "\xc2\x9b"));
  g_assert_null(strstr(table, "\xe2\x80\xae"));
  g_assert_nonnull(strstr(table, "one two"));
}

static void test_look_alikes(void) {
  g_autoptr(BhResults) results = parse(RUN CELL("aaa", "x", 0, 1, OK("100")) CELL("bbb", "x", 0, 1, OK("50")));
  g_autofree char *table = bh_report_table_width(results, FALSE, 0, FALSE);
  g_assert_nonnull(strstr(table, "aaa"));
  g_assert_nonnull(strstr(table, "bbb"));
}

/* Whatever the order of the run: plugins as the run line lists them, values by size. */
static void test_order(void) {
  g_autoptr(BhResults) results =
      parse("{\"type\":\"run\",\"schema\":1,\"plugins\":[{\"name\":\"w\"},{\"name\":\"z\"},{\"name\":\"a\"}]}\n" CELL(
          "1", "unlisted", 0, 1, OK("1") ",\"params\":{\"n\":9}")
                CELL("2", "a", 0, 1, OK("1") ",\"params\":{\"n\":100}")
                    CELL("3", "a", 0, 1, OK("1") ",\"params\":{\"n\":9},\"options\":{\"c\":10}")
                        CELL("4", "a", 0, 1, OK("1") ",\"params\":{\"n\":9},\"options\":{\"c\":9}")
                            CELL("5", "z", 0, 1, OK("1") ",\"params\":{\"n\":9}"));
  g_autoptr(GPtrArray) cells = bh_merge_cells(results);
  g_autoptr(GString) ids = g_string_new(NULL);
  for (guint i = 0; i < cells->len; i++)
    g_string_append(ids, ((BhMerged *)cells->pdata[i])->first->id);
  g_assert_cmpstr(ids->str, ==, "54312");
}

static void test_figures(void) {
  static const struct {
    double x;
    const char *ratio, *percent;
  } rows[] = {{1, "1.00", "100%"},          {0.5, "0.50", "50%"},     {0.0123, "0.012", "1.2%"},
              {0.0004, "0.00040", "<0.1%"}, {12.34, "12.3", ">999%"}, {123.4, "123", ">999%"},
              {9.996, "10.0", ">999%"},     {0, "0.00", "0.0%"},      {0.0994, "0.099", "9.9%"},
              {0.0996, "0.10", "10%"}};
  for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autofree char *ratio = bh_view_ratio(rows[i].x);
    g_autofree char *percent = bh_view_percent(rows[i].x);
    g_assert_cmpstr(ratio, ==, rows[i].ratio);
    g_assert_cmpstr(percent, ==, rows[i].percent);
  }
}

static void test_display(void) {
  g_assert_cmpuint(bh_display_width("a漢b"), ==, 4);
  g_assert_cmpuint(bh_display_width("e\xcc\x81"), ==, 1); /* a combining accent */
  g_autofree char *cut = bh_display_cut("漢漢漢漢", 6);
  g_assert_cmpstr(cut, ==, "漢..."); /* 5 wide: half a character is none */
  g_autofree char *whole = bh_display_cut("abc", 3);
  g_assert_cmpstr(whole, ==, "abc");
  g_autofree char *tiny = bh_display_cut("abcdef", 2);
  g_assert_cmpstr(tiny, ==, "..");
  g_autofree char *clean = bh_display_clean("a\xff\x01é", TRUE);
  g_assert_cmpstr(clean, ==, "a? ?");
  g_autoptr(GString) out = g_string_new(NULL);
  bh_display_wrap(out, "aaaa bbbb cccc dddd eeee ffff", 0, 22, 2);
  g_assert_cmpstr(out->str, ==, "aaaa bbbb cccc dddd\n  eeee ffff");
}

static void test_exit_status(void) {
  static const struct {
    const char *status;
    int exit, strict;
  } rows[] = {{"skipped", 0, 4}, {"unsupported", 0, 4}, {"wrong", 3, 3},        {"crashed", 4, 4},
              {"timeout", 4, 4}, {"failed", 4, 4},      {"out-of-memory", 4, 4}};
  for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autofree char *text =
        g_strdup_printf(RUN CELL("a", "x", 0, 1, OK("1")) CELL("b", "x", 0, 1, "\"status\":\"%s\""), rows[i].status);
    g_autoptr(BhResults) results = parse(text);
    g_assert_cmpint(bh_report_exit_status(results, FALSE), ==, rows[i].exit);
    g_assert_cmpint(bh_report_exit_status(results, TRUE), ==, rows[i].strict);
  }
  g_autoptr(BhResults) ok = parse(RUN CELL("a", "x", 0, 1, OK("1")));
  g_assert_cmpint(bh_report_exit_status(ok, TRUE), ==, 0);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/table/golden", test_golden);
  g_test_add_func("/table/width", test_width);
  g_test_add_func("/table/color", test_color);
  g_test_add_func("/table/rounds", test_rounds);
  g_test_add_func("/table/pools", test_pools);
  g_test_add_func("/table/mixed-rounds", test_mixed_rounds);
  g_test_add_func("/table/common-rounds", test_common_rounds);
  g_test_add_func("/table/flags-by-chance", test_flags_by_chance);
  g_test_add_func("/table/base-choice", test_base_choice);
  g_test_add_func("/table/no-nan", test_no_nan);
  g_test_add_func("/table/hostile-text", test_hostile_text);
  g_test_add_func("/table/look-alikes", test_look_alikes);
  g_test_add_func("/table/order", test_order);
  g_test_add_func("/table/figures", test_figures);
  g_test_add_func("/table/display", test_display);
  g_test_add_func("/table/exit-status", test_exit_status);
  return g_test_run();
}
