/* SPDX-License-Identifier: MIT
 * The journal reader: what it takes, what it refuses and where it says so, and what a torn file gives back. */
#include "results/results.h"
#include "results/strict.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#define RUN "{\"type\":\"run\",\"schema\":1}\n"
#define HEAD "{\"type\":\"cell\",\"id\":\"a\",\"workload\":\"w\",\"backend\":\"b\""
#define GOOD HEAD ",\"round\":0,\"status\":\"ok\",\"steady\":{\"samples_ns\":[3,1,2.5]},\"total\":{\"median_ns\":7}}\n"
#define SECOND HEAD ",\"round\":1,\"status\":\"timeout\",\"reason\":\"late\"}\n"

static BhResults *parse(const char *text, GError **error) {
  return bh_results_parse(text, strlen(text), "j", error);
}

static void test_good(void) {
  g_autoptr(GError) error = NULL;
  const char *text = RUN GOOD "{\"type\":\"of the future\",\"x\":[1,{}]}\n" SECOND "{\"type\":\"end\"}\n";
  g_autoptr(BhResults) results = parse(text, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(results->records->len, ==, 2);
  g_assert_cmpuint(results->cells->len, ==, 1);
  g_assert_false(results->torn);
  g_assert_cmpint(results->good_bytes, ==, strlen(text));
  g_assert_nonnull(results->end);
  const BhCellRecord *first = results->records->pdata[0], *second = results->records->pdata[1];
  g_assert_cmpuint(first->steady_ns->len, ==, 3);
  g_assert_cmpfloat(g_array_index(first->steady_ns, double, 2), ==, 2.5);
  g_assert_cmpfloat(first->total_ns, ==, 7);
  g_assert_cmpstr(first->variant, ==, "portable");
  g_assert_cmpint(second->status, ==, BH_CELL_TIMEOUT);
  g_assert_cmpstr(second->reason, ==, "late");
  g_assert_true(isnan(second->total_ns));
  g_assert_cmpuint(second->steady_ns->len, ==, 0);
  g_assert_true(bh_results_find(results, "a", 1) == second);
  g_assert_true(bh_results_find(results, "a", 0) == first);
  g_assert_null(bh_results_find(results, "a", 2));
  g_assert_null(bh_results_find(results, "b", 0));
}

/* Whatever the point at which a journal is cut, what lies before is kept and what is cut is not counted. */
static void test_every_cut(void) {
  const char *text = RUN GOOD SECOND "{\"type\":\"end\"}\n";
  const gsize length = strlen(text);
  for (gsize cut = 0; cut <= length; cut++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(BhResults) results = bh_results_parse(text, cut, "j", &error);
    g_assert_no_error(error);
    gsize whole = cut;
    while (whole > 0 && text[whole - 1] != '\n')
      whole--;
    g_assert_cmpint(results->good_bytes, ==, whole);
    g_assert_cmpint(results->torn, ==, whole != cut);
    g_assert_cmpuint(results->records->len, ==, (whole >= strlen(RUN GOOD)) + (whole >= strlen(RUN GOOD SECOND)));
    g_assert_cmpint(results->run != NULL, ==, whole > 0);
    g_assert_cmpint(results->end != NULL, ==, whole == length);
  }
}

static void test_torn(void) {
  static const char *const tails[] = {
      "{\"type\":\"cell\",\"id\"\n", "garbage\n", "\n", "\xff\xfe\n", "[1,2\n", "{}x\n"};
  for (guint i = 0; i < G_N_ELEMENTS(tails); i++) {
    g_autofree char *text = g_strconcat(RUN GOOD, tails[i], NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(BhResults) results = parse(text, &error);
    g_assert_no_error(error);
    g_assert_true(results->torn);
    g_assert_cmpint(results->good_bytes, ==, strlen(RUN GOOD));
    /* The same before other lines is damage, and named. */
    g_autofree char *middle = g_strconcat(text, SECOND, NULL);
    g_assert_null(parse(middle, &error));
    g_assert_error(error, BH_ERROR, BH_ERROR_USAGE);
    g_assert_true(g_str_has_prefix(error->message, "j:3: "));
    g_clear_error(&error);
    g_autofree char *torn_twice = g_strconcat(text, "{\"ty", NULL);
    g_assert_null(parse(torn_twice, &error));
    g_assert_true(g_str_has_prefix(error->message, "j:3: "));
  }
}

static void test_refusals(void) {
  static const struct {
    const char *text, *message;
  } rows[] = {
      {GOOD SECOND, "j:1: expected a line of type 'run' first"},
      {"root:x:0:0\nbin:x:1:1\n", "j:1: no line of a journal: column 1: expected a value"},
      {RUN RUN, "j:2: a second line of type 'run'"},
      {"{\"type\":\"run\",\"schema\":2}\n", "j:1: the journal has schema 2"},
      {"{\"type\":\"run\"}\n", "j:1: 'schema' of the run line"},
      {RUN "[1]\n", "j:2: expected a JSON object"},
      {RUN "{\"type\":3}\n", "j:2: expected an object with a text 'type'"},
      {RUN GOOD GOOD, "j:3: cell a comes a second time in round 0"},
      {RUN GOOD
       "{\"type\":\"cell\",\"id\":\"a\",\"workload\":\"w\",\"backend\":\"c\",\"round\":1,\"status\":\"failed\"}\n",
       "j:3: cell a has another workload or backend"},
      {RUN HEAD ",\"round\":-1,\"status\":\"failed\"}\n", "j:2: 'round' of a cell line: expected a whole number"},
      {RUN HEAD ",\"round\":0.5,\"status\":\"failed\"}\n", "j:2: 'round'"},
      {RUN HEAD ",\"round\":99999999999,\"status\":\"failed\"}\n", "j:2: 'round'"},
      {RUN HEAD ",\"round\":0}\n", "j:2: 'status' of a cell line: expected one of ok, skipped"},
      {RUN HEAD ",\"round\":0,\"status\":\"great\"}\n", "j:2: 'status'"},
      {RUN HEAD ",\"round\":0,\"status\":\"ok\"}\n", "j:2: 'steady'"},
      {RUN HEAD ",\"round\":0,\"status\":\"ok\",\"steady\":{\"samples_ns\":[]}}\n", "j:2: 'steady'"},
      {RUN HEAD ",\"round\":0,\"status\":\"ok\",\"steady\":{\"samples_ns\":[1,null]}}\n", "j:2: 'steady.samples_ns'"},
      {RUN HEAD ",\"round\":0,\"status\":\"ok\",\"steady\":{\"samples_ns\":[-1]}}\n", "j:2: 'steady.samples_ns'"},
      {RUN HEAD ",\"round\":0,\"status\":\"ok\",\"steady\":{\"samples_ns\":[[[]]]}}\n", "j:2: 'steady.samples_ns'"},
      {RUN HEAD ",\"round\":0,\"status\":\"failed\",\"params\":[]}\n", "j:2: 'params'"},
      {RUN HEAD ",\"round\":0,\"status\":\"failed\",\"flags\":[1]}\n", "j:2: 'flags'"},
      {RUN HEAD ",\"round\":0,\"status\":\"failed\",\"cost\":{\"items\":-4}}\n", "j:2: 'cost'"},
      {RUN "{\"type\":\"cell\",\"id\":7,\"round\":0}\n", "j:2: 'id' of a cell line: expected text"},
      {RUN "{\"type\":\"cell\",\"id\":\"\",\"round\":0}\n", "j:2: 'id'"},
      {RUN "{\"type\":\"x\",\"a\":1,\"a\":2}\n", "j:2: a key comes twice"},
      {RUN "{\"type\":\"x\",\"b\":[{\"a\":1,\"\\u0061\":2}]}\n", "j:2: a key comes twice"},
      {RUN "{\"type\":\"x\",\"a\":99999999999999999999}\n",
       "j:2: no line of a journal: column 37: a whole number that does not fit"},
      {RUN "{\"type\":\"x\",\"a\":1e999}\n", "a number that is too large"},
      {RUN "{\"type\":\"x\",\"a\":\"\\u0000\"}\n", "a NUL character"},
      {RUN "{\"type\":\"x\",\"a\":\"\\ud800\"}\n", "half of a surrogate pair"},
      {RUN "{\"type\":\"x\",\"a\":NaN}\n" SECOND, "j:2: no line of a journal: column 17: expected a value"},
      {RUN "{\"type\":\"x\",\"a\":Infinity}\n" SECOND, "expected a value"},
      {RUN "{\"type\":\"x\"/*c*/}\n" SECOND, "expected ',' or '}'"},
      {RUN "{'type':'x'}\n" SECOND, "expected a text in double quotes"},
      {RUN "{\"type\":\"x\",\"a\":01}\n" SECOND, "expected a value"},
      {RUN "{\"type\":\"x\"} {}\n" SECOND, "expected the end of the line"},
  };
  for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(BhResults) results = parse(rows[i].text, &error);
    g_assert_null(results);
    g_assert_error(error, BH_ERROR, BH_ERROR_USAGE);
    if (!strstr(error->message, rows[i].message))
      g_assert_cmpstr(error->message, ==, rows[i].message);
  }
}

static void test_nul_bytes(void) {
  const char text[] = RUN "{\"type\":\0\"x\"}\n" GOOD;
  g_autoptr(GError) error = NULL;
  g_assert_null(bh_results_parse(text, sizeof text - 1, "j", &error));
  g_assert_cmpstr(error->message, ==, "j:2: no line of a journal: column 9: a NUL byte");
}

static void test_depth(void) {
  for (guint depth = BH_STRICT_DEPTH - 2; depth <= 100000; depth = depth < 70 ? depth + 1 : depth * 10) {
    GString *text = g_string_new(RUN "{\"type\":\"x\",\"a\":");
    for (guint i = 0; i < depth; i++)
      g_string_append_c(text, '[');
    g_string_append_c(text, '1');
    for (guint i = 0; i < depth; i++)
      g_string_append_c(text, ']');
    g_string_append(text, "}\n");
    g_autoptr(GError) error = NULL;
    g_autoptr(BhResults) results = parse(text->str, &error);
    g_assert_cmpint(results != NULL, ==, depth + 1 <= BH_STRICT_DEPTH);
    if (!results)
      g_assert_nonnull(strstr(error->message, "j:2: no line of a journal: column 80: nested deeper than 64 levels"));
    g_string_free(text, TRUE);
  }
}

/* RFC 8259, by hand: one row per rule. */
static void test_grammar(void) {
  static const char *const good[] = {"{}",
                                     "[]",
                                     " [ ] ",
                                     "0",
                                     "-0",
                                     "-0.5e+10",
                                     "1E5",
                                     "\"\\u00e9\\n\\/\"",
                                     "true",
                                     "{\"a\":{\"b\":[1,2,[]]},\"c\":null}",
                                     "\"\\ud83d\\ude00\"",
                                     "9223372036854775807"};
  static const char *const bad[] = {"",     "[",   "]",       "{\"a\"}",   "{\"a\":}", "{\"a\":1,}", "[1,]",  "[,1]",
                                    "{,}",  "+1",  ".5",      "1.",        "1e",       "-",          "00",    "tru",
                                    "True", "\"",  "\"\\x\"", "\"\\u12\"", "\"\t\"",   "[1 2]",      "{1:2}", "[}",
                                    "{]",   "1 1", "\"a\" b", "\"\\",      "\"\\u"};
  guint64 members;
  for (guint i = 0; i < G_N_ELEMENTS(good); i++) {
    g_autoptr(GError) error = NULL;
    bh_strict_check(good[i], strlen(good[i]), &members, &error);
    g_assert_no_error(error);
  }
  for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
    g_autoptr(GError) error = NULL;
    if (bh_strict_check(bad[i], strlen(bad[i]), &members, &error) != BH_STRICT_SYNTAX)
      g_error("taken: %s", bad[i]);
    g_assert_error(error, BH_ERROR, BH_ERROR_USAGE);
  }
  const char *nested = "{\"a\":{\"b\":1},\"c\":[{\"d\":2}]}";
  g_assert_cmpint(bh_strict_check(nested, strlen(nested), &members, NULL), ==, BH_STRICT_OK);
  g_assert_cmpuint(members, ==, 4);
}

static void test_files(void) {
  g_autoptr(GError) error = NULL;
  g_assert_null(bh_results_load("/nonexistent/j.jsonl", &error));
  g_assert_nonnull(strstr(error->message, "/nonexistent/j.jsonl: cannot be read: No such file"));
  g_clear_error(&error);
  g_assert_null(bh_results_load("/", &error));
  g_assert_nonnull(strstr(error->message, "Is a directory"));
  g_clear_error(&error);
  g_assert_null(bh_results_load("/dev/zero", &error)); /* ends: the line is too long */
  g_assert_nonnull(strstr(error->message, "/dev/zero:1: a line of more than 64 MiB"));
  g_clear_error(&error);
  g_autoptr(BhResults) empty = bh_results_load("/dev/null", &error); /* --resume starts over */
  g_assert_no_error(error);
  g_assert_null(empty->run);
  g_assert_null(bh_results_open("/dev/null", &error));
  g_assert_nonnull(strstr(error->message, "holds no whole line"));
}

/* Lines that straddle the blocks in which a file is read. */
static void test_large_file(void) {
  GString *text = g_string_new(RUN);
  for (guint i = 0; i < 3000; i++) {
    g_string_append_printf(
        text,
        "{\"type\":\"cell\",\"id\":\"c%u\",\"workload\":\"w\",\"backend\":\"b\",\"round\":0,\"status\":"
        "\"ok\",\"steady\":{\"samples_ns\":[%u",
        i, i);
    for (guint k = 0; k < i % 500; k++)
      g_string_append_printf(text, ",%u.5", k);
    g_string_append(text, "]}}\n");
  }
  g_autoptr(GError) error = NULL;
  g_autofree char *path = NULL;
  const int fd = g_file_open_tmp("bh-results-XXXXXX", &path, &error);
  g_assert_no_error(error);
  close(fd);
  g_file_set_contents(path, text->str, (gssize)text->len, &error);
  g_assert_no_error(error);
  g_autoptr(BhResults) results = bh_results_load(path, &error);
  g_unlink(path);
  g_assert_no_error(error);
  g_assert_cmpuint(results->records->len, ==, 3000);
  g_assert_cmpint(results->good_bytes, ==, text->len);
  const BhCellRecord *last = bh_results_find(results, "c2999", 0);
  g_assert_cmpuint(last->steady_ns->len, ==, 1 + 2999 % 500);
  g_assert_cmpfloat(g_array_index(last->steady_ns, double, 0), ==, 2999);
  g_string_free(text, TRUE);
}

static void test_unordered_rounds(void) {
  g_autoptr(GError) error = NULL;
  g_autoptr(BhResults) results = parse(RUN SECOND GOOD, &error);
  g_assert_no_error(error);
  const BhCellResult *cell = results->cells->pdata[0];
  g_assert_cmpuint(((BhCellRecord *)cell->rounds->pdata[0])->round, ==, 0);
  g_assert_cmpuint(((BhCellRecord *)cell->rounds->pdata[1])->round, ==, 1);
  g_assert_nonnull(bh_results_find(results, "a", 0));
  g_assert_null(parse(RUN SECOND GOOD SECOND, &error));
  g_assert_nonnull(strstr(error->message, "j:4: cell a comes a second time in round 1"));
}

/* --retry-failed strikes a record; its round may come again, once. */
static void test_retry(void) {
  g_autoptr(GError) error = NULL;
  const char *again = HEAD ",\"round\":1,\"status\":\"ok\",\"steady\":{\"samples_ns\":[9]}}\n";
  g_autofree char *text = g_strconcat(RUN GOOD SECOND "{\"type\":\"end\"}\n{\"type\":\"resume\"}\n"
                                                      "{\"type\":\"retry\",\"id\":\"a\",\"round\":1}\n",
                                      again, NULL);
  g_autoptr(BhResults) results = parse(text, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(results->records->len, ==, 2);
  g_assert_cmpint(bh_results_find(results, "a", 1)->status, ==, BH_CELL_OK);
  g_assert_null(results->end); /* resumed, and not at its end since */
  g_autofree char *twice = g_strconcat(text, again, NULL);
  g_assert_null(parse(twice, &error));
  g_assert_nonnull(strstr(error->message, "j:8: cell a comes a second time in round 1"));
  g_clear_error(&error);
  g_assert_null(parse(RUN GOOD "{\"type\":\"retry\",\"id\":\"a\",\"round\":7}\n", &error));
  g_assert_nonnull(strstr(error->message, "j:3: a 'retry' line: expected 'id' and 'round'"));
  g_clear_error(&error);
  /* The only round struck: the cell is gone, and may come back. */
  g_autoptr(BhResults) none = parse(RUN GOOD "{\"type\":\"retry\",\"id\":\"a\",\"round\":0}\n", &error);
  g_assert_no_error(error);
  g_assert_cmpuint(none->cells->len, ==, 0);
  g_assert_null(bh_results_find(none, "a", 0));
}

static gboolean is_disturbed(const BhResults *results, guint round) {
  const BhCellRecord *record = bh_results_find(results, "a", round);
  return g_ptr_array_find_with_equal_func(record->flags, "disturbed-round", g_str_equal, NULL);
}

/* A round line flags the visits of its round, those of its own session, and once. */
static void test_round_line(void) {
#define ROUND(round, why) "{\"type\":\"round\",\"round\":" round ",\"disturbed\":" why "}\n"
  g_autoptr(GError) error = NULL;
  g_autoptr(BhResults) results =
      parse(RUN GOOD SECOND ROUND("0", "\"steal\"") ROUND("0", "\"steal\"") ROUND("1", "null"), &error);
  g_assert_no_error(error);
  g_assert_cmpuint(results->round_lines->len, ==, 3);
  g_assert_true(is_disturbed(results, 0));
  g_assert_cmpuint(((const BhCellRecord *)results->records->pdata[0])->flags->len, ==, 1);
  g_assert_false(is_disturbed(results, 1));
  g_autoptr(BhResults) resumed =
      parse(RUN GOOD "{\"type\":\"resume\"}\n" SECOND ROUND("1", "\"steal\"") ROUND("0", "\"steal\""), &error);
  g_assert_no_error(error);
  g_assert_false(is_disturbed(resumed, 0));
  g_assert_true(is_disturbed(resumed, 1));
  /* A pass over some cells, each at a round of its own: what came since the line above it. */
  g_autoptr(BhResults) passed = parse(RUN GOOD ROUND("0", "null") SECOND ROUND("null", "\"steal\""), &error);
  g_assert_no_error(error);
  g_assert_false(is_disturbed(passed, 0));
  g_assert_true(is_disturbed(passed, 1));
  g_assert_null(parse(RUN ROUND("-1", "null"), &error));
  g_assert_nonnull(strstr(error->message, "j:2: 'round' of a round line: expected a whole number"));
#undef ROUND
}

static void test_unverified_has_no_figure(void) {
  g_autoptr(GError) error = NULL;
  g_autoptr(BhResults) results =
      parse(RUN HEAD ",\"round\":0,\"status\":\"wrong\",\"steady\":{\"samples_ns\":[1]},\"total\":{\"median_ns\":1}}\n",
            &error);
  g_assert_no_error(error);
  const BhCellRecord *record = results->records->pdata[0];
  g_assert_cmpuint(record->steady_ns->len, ==, 0);
  g_assert_true(isnan(record->total_ns));
  g_assert_cmpstr(record->reason, ==, "no reason was recorded");
}

static void test_status_names(void) {
  for (guint i = BH_CELL_OK; i <= BH_CELL_FAILED; i++) {
    BhCellStatus status;
    g_assert_true(bh_cell_status_parse(bh_cell_status_name((BhCellStatus)i), &status));
    g_assert_cmpint(status, ==, i);
  }
  BhCellStatus status;
  g_assert_false(bh_cell_status_parse("", &status));
  g_assert_false(bh_cell_status_parse("OK", &status));
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/results/good", test_good);
  g_test_add_func("/results/every-cut", test_every_cut);
  g_test_add_func("/results/torn", test_torn);
  g_test_add_func("/results/refusals", test_refusals);
  g_test_add_func("/results/nul-bytes", test_nul_bytes);
  g_test_add_func("/results/depth", test_depth);
  g_test_add_func("/results/grammar", test_grammar);
  g_test_add_func("/results/files", test_files);
  g_test_add_func("/results/large-file", test_large_file);
  g_test_add_func("/results/unordered-rounds", test_unordered_rounds);
  g_test_add_func("/results/retry", test_retry);
  g_test_add_func("/results/round-line", test_round_line);
  g_test_add_func("/results/unverified", test_unverified_has_no_figure);
  g_test_add_func("/results/status-names", test_status_names);
  return g_test_run();
}
