/* SPDX-License-Identifier: MIT
 * What one parameter's text expands to, for each type. */
#include "plan/sweep.h"
#include "spec/node.h"

#include <string.h>

static const BhMachine machine = {6, G_GUINT64_CONSTANT(1) << 30};
static char *choices[] = {"static", "dynamic", NULL};

/* Canonical values joined by '|'; expressions as "?". */
static char *expand(bh_type type, const char *yaml, GError **error) {
  const BhParam param = {.name = (char *)"p", .type = type, .choices = choices};
  g_autoptr(BhNode) node = bh_yaml_parse(yaml, strlen(yaml), "m", error);
  g_assert_nonnull(node);
  g_autoptr(GPtrArray) terms = bh_sweep_terms(&param, node, &machine, error);
  if (!terms)
    return NULL;
  GString *text = g_string_new(NULL);
  for (guint i = 0; i < terms->len; i++) {
    const BhTerm *term = terms->pdata[i];
    g_string_append_printf(text, "%s%s", i ? "|" : "", term->value ? term->value->text : "?");
  }
  return g_string_free(text, FALSE);
}

static void test_expansions(void) {
  static const struct {
    bh_type type;
    const char *yaml, *expected;
  } rows[] = {
      {BH_INT, "5", "5"},
      {BH_INT, "[1, 1e3, '7']", "1|1000|7"},
      {BH_INT, "1..4", "1|2|3|4"},
      {BH_INT, "-1..1", "-1|0|1"},
      {BH_INT, "1..16 x2", "1|2|4|8|16"},
      {BH_INT, "1..20 x2", "1|2|4|8|16"},
      {BH_INT, "1..16 +3", "1|4|7|10|13|16"},
      {BH_INT, "1..cores", "1|2|3|4|5|6"},
      {BH_INT, "'1..3'", "1|2|3"},
      {BH_INT, "['max(1, n)']", "?"},
      {BH_INT, "1..cores x2", "1|2|4"},
      {BH_INT, "cores / 2 .. cores + 1", "3|4|5|6|7"},
      {BH_INT, "1..cores + 1 +3", "1|4|7"},
      {BH_INT, "[1, 10..12, 100..1000 x10]", "1|10|11|12|100|1000"},
      {BH_INT, "cores // 2", "?"},
      {BH_INT, "[1, n / 2]", "1|?"},
      {BH_INT, "9223372036854775806..9223372036854775807", "9223372036854775806|9223372036854775807"},
      {BH_SIZE, "4KiB..64KiB x4", "4096|16384|65536"},
      {BH_SIZE, "1KiB..2KiB +512", "1024|1536|2048"},
      {BH_SIZE, "memory / 4 .. memory x2", "268435456|536870912|1073741824"},
      {BH_DURATION, "1ms..4ms x2", "1000000ns|2000000ns|4000000ns"},
      {BH_DURATION, "1s..2s +500ms", "1000000000ns|1500000000ns|2000000000ns"},
      {BH_REAL, "0.1..0.5 +0.1", "0.1|0.2|0.3|0.4|0.5"},
      {BH_REAL, "1..3", "1|2|3"},
      {BH_REAL, "0.001..1 x10", "0.001|0.01|0.1|1"},
      {BH_TEXT, "[1..3, cores, a b]", "1..3|cores|a b"},
      {BH_CHOICE, "[static, dynamic]", "static|dynamic"},
      {BH_BOOL, "[true, false]", "true|false"},
      {BH_WORDS, "ls -l 'a b'", "ls -l 'a b'"},
      {BH_WORDS, "[ls -l, pwd]", "ls -l|pwd"},
      {BH_WORDS, "[[ls, a b], [pwd], date -u]", "ls 'a b'|pwd|date -u"},
      {BH_WORDS, "[[]]", ""},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autoptr(GError) error = NULL;
    g_test_message("%s", rows[i].yaml);
    g_autofree char *text = expand(rows[i].type, rows[i].yaml, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(text, ==, rows[i].expected);
  }
}

static void test_errors(void) {
  static const struct {
    bh_type type;
    const char *yaml, *message;
  } rows[] = {
      {BH_INT, "1..10001", "m:1:1: range '1..10001' has more than 10000 values"},
      {BH_INT, "4..1", "m:1:1: range '4..1' is empty"},
      {BH_INT, "1..2..3", "m:1:1: range '1..2..3': '2..3' is not an integer"},
      {BH_INT, "1..8 x1.5", "the factor 'x1.5' must be a whole number of at least 2"},
      {BH_INT, "'x y'", "m:1:4: 'y' cannot stand here"},
      {BH_INT, "[[1]]", "m:1:2: 'p' takes one integer at a time, not a list"},
      {BH_SIZE, "1KiB..2KiB", "needs a step"},
      {BH_REAL, "1..2 +1e-14", "the step is too small"},
      {BH_REAL, "0..1 x2", "must begin above 0"},
      {BH_CHOICE, "dynamc", "did you mean 'dynamic'?"},
      {BH_WORDS, "[[[a]]]", "m:1:3: a word of 'p' is a list"},
      {BH_BOOL, "1", "expected true or false"},
      {BH_TEXT, "~", "'p' has no value; give a text, or \"\" for an empty one"},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autoptr(GError) error = NULL;
    g_assert_null(expand(rows[i].type, rows[i].yaml, &error));
    g_assert_error(error, BH_ERROR, BH_ERROR_USAGE);
    g_test_message("%s -> %s", rows[i].yaml, error->message);
    g_assert_nonnull(strstr(error->message, rows[i].message));
  }
}

static void test_most(void) {
  g_autoptr(GError) error = NULL;
  g_autofree char *most = expand(BH_INT, "1..10000", &error);
  g_assert_no_error(error);
  g_assert_true(g_str_has_suffix(most, "|9999|10000"));
  GString *many = g_string_new("[");
  for (guint i = 0; i < 11; i++)
    g_string_append(many, "1..10000,");
  g_string_append_c(many, ']');
  g_assert_null(expand(BH_INT, many->str, &error));
  g_assert_nonnull(strstr(error->message, "more than 100000 values"));
  g_string_free(many, TRUE);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/sweep/expansions", test_expansions);
  g_test_add_func("/sweep/errors", test_errors);
  g_test_add_func("/sweep/most", test_most);
  return g_test_run();
}
