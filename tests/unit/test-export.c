/* SPDX-License-Identifier: MIT
 * Exports by their figures: values worked by hand, quoting, formulas, and that no NaN gets out. Other readers (csv,
 * json, compare.py) are tried in tests/cli. */
#include "results/report.h"

#include <json-glib/json-glib.h>
#include <string.h>

#define RUN "{\"type\":\"run\",\"schema\":1}\n"
#define CELL(id, backend, round, workers, more)                                                                        \
  "{\"type\":\"cell\",\"id\":\"" id "\",\"workload\":\"w\",\"backend\":\"" backend "\",\"round\":" #round              \
  ",\"workers\":" #workers "," more "}\n"
#define OK(ns) "\"status\":\"ok\",\"steady\":{\"samples_ns\":[" ns "]}"

static BhResults *parse(const char *text) {
  g_autoptr(GError) error = NULL;
  BhResults *results = bh_results_parse(text, strlen(text), "test", &error);
  g_assert_no_error(error);
  return results;
}

static JsonNode *parse_json(const char *text) {
  g_autoptr(GError) error = NULL;
  JsonNode *node = json_from_string(text, &error);
  g_assert_no_error(error);
  return node;
}

static void test_csv(void) {
  g_autoptr(BhResults) results = parse(
      RUN CELL("a", "b", 0, 1,
               OK("2,4") ",\"params\":{\"n\":1,\"-x\":-5},\"label\":\"a, \\\"b\\\"\\nc\",\"cost\":{\"items\":6}")
          CELL("c", "=cmd()", 0, 2,
               "\"status\":\"failed\",\"reason\":\"@SUM(A1)\",\"params\":{\"n\":\"+1\"},\"options\":{\"o\":true}"));
  g_autofree char *csv = bh_report_csv(results);
  const char *header =
      "id,label,workload,backend,variant,workers,baseline,param.n,param.-x,option.o,status,reason,rounds,";
  g_assert_true(g_str_has_prefix(csv, header));
  g_assert_nonnull(
      strstr(csv, "\r\na,\"a, \"\"b\"\"\nc\",w,b,portable,1,false,1,-5,,ok,,1,1,3,,,,2,3.9,0.4714045207910317,2,"));
  g_assert_nonnull(strstr(csv, "\r\nc,w | =cmd(),w,'=cmd(),portable,2,false,'+1,,true,failed,'@SUM(A1),1,0,,,,,"));
  g_autofree char *samples = bh_report_csv_samples(results);
  g_auto(GStrv) lines = g_strsplit(samples, "\r\n", -1);
  g_assert_cmpuint(g_strv_length(lines), ==, 5); /* header, 2 samples, 1 failure, end */
  g_assert_true(g_str_has_suffix(lines[0], ",status,reason,round,sample,steady_ns,total_ns,cpu_ns"));
  g_assert_true(g_str_has_suffix(lines[1], ",ok,,0,0,2,,"));
  g_assert_true(g_str_has_suffix(lines[2], ",ok,,0,1,4,,"));
  g_assert_true(g_str_has_suffix(lines[3], ",failed,'@SUM(A1),0,,,,"));
}

#define OBSERVED(cpu, instructions, cycles, more)                                                                      \
  ",\"cpu\":{\"median_ns\":" #cpu "},\"flagged\":{\"share\":0.25},\"counters\":{"                                      \
  "\"instructions\":{\"unit\":\"\",\"better\":\"lower\",\"median\":" #instructions                                     \
  "},\"cycles\":{\"unit\":\"\",\"better\":\"lower\",\"median\":" #cycles "}" more "}"
#define NO_ENERGY ",\"energy\":{\"unavailable\":\"no meter\"}"

/* Rounds of 100, 300 and 200: the median of their medians, with no interval below 6 rounds; what one cell lacks is
 * empty there. */
static void test_observed(void) {
  g_autoptr(BhResults) results =
      parse(RUN CELL("a", "x", 0, 1, OK("2,4") OBSERVED(100, 50, 25, NO_ENERGY) ",\"samples\":{\"cpu_ns\":[7,8]}")
                CELL("a", "x", 1, 1, OK("2,4") OBSERVED(300, 50, 25, NO_ENERGY) ",\"samples\":{}")
                    CELL("a", "x", 2, 1, OK("2,4") OBSERVED(200, 90, 20, NO_ENERGY)) CELL("b", "y", 0, 2, OK("1,2")));
  g_autofree char *csv = bh_report_csv(results), *table = bh_report_table_width(results, FALSE, 0, TRUE);
  g_autofree char *samples = bh_report_csv_samples(results), *markdown = bh_report_markdown(results);
  g_auto(GStrv) lines = g_strsplit(csv, "\r\n", -1);
  g_assert_true(g_str_has_suffix(lines[0], ",flags,cpu_median_ns,cpu_low_ns,cpu_high_ns,flagged_share,"
                                           "counter.instructions,counter.cycles,counter.energy"));
  g_assert_true(g_str_has_suffix(lines[1], ",200,,,0.25,50,25,"));
  g_assert_true(g_str_has_suffix(lines[2], ",,,,,,,"));
  g_auto(GStrv) rows = g_strsplit(samples, "\r\n", -1);
  g_assert_true(g_str_has_suffix(rows[1], ",0,0,2,,7"));
  g_assert_true(g_str_has_suffix(rows[2], ",0,1,4,,8"));
  g_assert_true(g_str_has_suffix(rows[3], ",1,0,2,,0")); /* observed, and all of it 0 */
  g_assert_true(g_str_has_suffix(rows[5], ",2,0,2,,"));  /* not observed */
  g_assert_nonnull(strstr(table, ": counters, per run"));
  g_assert_nonnull(strstr(table, "IPC"));
  g_assert_nonnull(strstr(table, "not available: energy (no meter)"));
  g_assert_nonnull(strstr(markdown, ": counters, per run"));
  g_autofree char *text = bh_report_json(results);
  g_autoptr(JsonNode) root = parse_json(text);
  JsonObject *cell = json_array_get_object_element(json_node_get_array(root), 0);
  JsonObject *cpu = json_object_get_object_member(cell, "cpu");
  g_assert_cmpfloat(json_object_get_double_member(cpu, "median"), ==, 200);
  g_assert_cmpstr(json_object_get_string_member(cpu, "ci_reason"), ==, "fewer than 6 rounds");
  JsonObject *derived = json_object_get_object_member(cell, "derived");
  g_assert_cmpfloat(json_object_get_double_member(derived, "instructions_per_cycle"), ==, 2);
  g_assert_true(json_object_get_null_member(derived, "branch_miss_rate"));
  JsonObject *energy = json_object_get_object_member(json_object_get_object_member(cell, "counters"), "energy");
  g_assert_true(json_object_get_null_member(energy, "median"));
  g_assert_cmpstr(json_object_get_string_member(energy, "ci_reason"), ==, "no meter");
}

static void test_json(void) {
  g_autoptr(BhResults) results = parse(RUN CELL("a", "x", 0, 1, OK("4,4,4,4,4,4,4")) CELL(
      "b", "y", 0, 2, OK("1,2,2,2,2,2,3")) CELL("c", "z", 0, 2, "\"status\":\"timeout\",\"reason\":\"late\""));
  g_autofree char *text = bh_report_json(results);
  g_autoptr(JsonNode) root = parse_json(text);
  JsonArray *cells = json_node_get_array(root);
  g_assert_cmpuint(json_array_get_length(cells), ==, 3);
  JsonObject *two = json_array_get_object_element(cells, 1), *late = json_array_get_object_element(cells, 2);
  JsonObject *steady = json_object_get_object_member(two, "steady"),
             *speedup = json_object_get_object_member(two, "speedup");
  g_assert_cmpfloat(json_object_get_double_member(steady, "median_ns"), ==, 2);
  g_assert_cmpstr(json_object_get_string_member(steady, "ci_basis"), ==, "samples");
  /* n = 7: w = 11/15 from the 7th to the 6th, and 2043/2315 for the ratio (test-stats.c says how); the base's interval
   * has no width. */
  g_assert_cmpfloat_with_epsilon(json_array_get_double_element(json_object_get_array_member(steady, "ci"), 1),
                                 3 - 11. / 15, 1e-12);
  g_assert_cmpfloat(json_object_get_double_member(speedup, "ratio"), ==, 2);
  g_assert_cmpstr(json_object_get_string_member(speedup, "over"), ==, "a");
  g_assert_cmpfloat_with_epsilon(json_array_get_double_element(json_object_get_array_member(speedup, "ci"), 1),
                                 4 / (1 + 2043. / 2315), 1e-12);
  g_assert_true(json_object_get_null_member(two, "total"));
  g_assert_cmpstr(json_object_get_string_member(two, "total_reason"), ==, "no total was recorded");
  g_assert_true(json_object_get_null_member(late, "steady"));
  g_assert_true(json_object_get_null_member(late, "speedup"));
  g_assert_cmpstr(json_object_get_string_member(late, "reason"), ==, "late");
}

/* Every entry of google-benchmark's list with this name. */
static guint count_named(JsonArray *list, const char *name, JsonObject **ret_last) {
  guint count = 0;
  for (guint i = 0; i < json_array_get_length(list); i++) {
    JsonObject *object = json_array_get_object_element(list, i);
    if (!strcmp(json_object_get_string_member(object, "name"), name)) {
      count++;
      *ret_last = object;
    }
  }
  return count;
}

static void test_gbench(void) {
  g_autoptr(BhResults) results =
      parse(RUN CELL("a", "x", 0, 1, OK("4,5,6") ",\"label\":\"w n=1 | x o=2\",\"cost\":{\"items\":20}")
                CELL("a", "x", 1, 1, OK("7,7,10") ",\"label\":\"w n=1 | x o=2\",\"cost\":{\"items\":20}")
                    CELL("b", "y", 0, 2, "\"status\":\"wrong\",\"reason\":\"7\",\"label\":\"w n=1 | x o=2\""));
  JsonObject *entry = NULL;
  g_autofree char *by_rounds = bh_report_gbench(results, BH_REPETITIONS_AUTO);
  g_autoptr(JsonNode) rounds = parse_json(by_rounds);
  JsonArray *list = json_object_get_array_member(json_node_get_object(rounds), "benchmarks");
  g_assert_cmpuint(count_named(list, "w/n:1/x/o:2", &entry), ==, 2); /* two processes: medians 5 and 7 */
  g_assert_cmpfloat(json_object_get_double_member(entry, "real_time"), ==, 7);
  g_assert_cmpint(json_object_get_int_member(entry, "repetition_index"), ==, 1);
  g_assert_cmpfloat_with_epsilon(json_object_get_double_member(entry, "items_per_second"), 20 / 7e-9, 1);
  g_assert_cmpuint(count_named(list, "w/n:1/x/o:2_mean", &entry), ==, 1);
  g_assert_cmpfloat(json_object_get_double_member(entry, "real_time"), ==, 6);
  g_assert_cmpuint(count_named(list, "w/n:1/x/o:2_stddev", &entry), ==, 1);
  g_assert_cmpfloat_with_epsilon(json_object_get_double_member(entry, "real_time"), 1.4142135623730951, 1e-12);
  /* The wrong cell has the same label, so its name carries its id; it is under no name that has times. */
  g_assert_cmpuint(count_named(list, "w/n:1/x/o:2/id:b_error", &entry), ==, 1);
  g_assert_true(json_object_get_boolean_member(entry, "error_occurred"));
  g_assert_cmpstr(json_object_get_string_member(entry, "error_message"), ==, "wrong: 7");
  g_assert_cmpuint(count_named(list, "w/n:1/x/o:2/id:b", &entry), ==, 0);
  g_autofree char *by_samples = bh_report_gbench(results, BH_REPETITIONS_SAMPLES);
  g_autoptr(JsonNode) samples = parse_json(by_samples);
  list = json_object_get_array_member(json_node_get_object(samples), "benchmarks");
  g_assert_cmpuint(count_named(list, "w/n:1/x/o:2", &entry), ==, 6);
}

static void test_markdown(void) {
  g_autoptr(BhResults) results = parse(
      RUN CELL("a", "x|y", 0, 1, "\"status\":\"failed\",\"reason\":\"<script>`a`|b*\\n|\",\"label\":\"w_1 | x\""));
  g_autofree char *text = bh_report_markdown(results);
  g_assert_nonnull(strstr(text, "| x\\|y | failed: &lt;script>\\`a\\`\\|b\\* \\| |"));
  g_assert_nonnull(strstr(text, "## w\\_1\n"));
}

static char *gbench(const BhResults *results) {
  return bh_report_gbench(results, BH_REPETITIONS_AUTO);
}

/* Zero and huge times in every export. */
static void test_no_nan(void) {
  g_autoptr(BhResults) results =
      parse(RUN CELL("a", "x", 0, 1, OK("0,0,0,0,0,0,0") ",\"cost\":{\"items\":5,\"flops\":1e308,\"bytes_read\":1}")
                CELL("b", "y", 0, 1, OK("1e-300,1e308,1e308,1,1,1,1") ",\"cost\":{\"items\":1e308}")
                    CELL("c", "z", 0, 1, OK("1e308,1e308,1e308") ",\"total\":{\"median_ns\":0}")
                        CELL("d", "z", 0, 1, OK("0,1e308") ",\"cost\":{\"items\":1}"));
  char *(*const exports[])(const BhResults *) = {bh_report_csv, bh_report_csv_samples, bh_report_json,
                                                 bh_report_markdown, gbench};
  for (guint i = 0; i < G_N_ELEMENTS(exports); i++) {
    g_autofree char *text = exports[i](results);
    g_assert_false(g_regex_match_simple("\\b(nan|inf|infinity)\\b", text, G_REGEX_CASELESS, 0));
    if (i == 2 || i == 4) {
      g_autoptr(JsonNode) root = parse_json(text);
      g_assert_nonnull(root);
    }
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/export/csv", test_csv);
  g_test_add_func("/export/observed", test_observed);
  g_test_add_func("/export/json", test_json);
  g_test_add_func("/export/gbench", test_gbench);
  g_test_add_func("/export/markdown", test_markdown);
  g_test_add_func("/export/no-nan", test_no_nan);
  return g_test_run();
}
