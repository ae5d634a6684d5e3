/* SPDX-License-Identifier: MIT
 * Expressions: values worked out by hand, errors with their column. */
#include "plan/expr.h"

#include <string.h>

static gboolean look_up(void *user, const char *name, BhNumber *ret, GError **error) {
  (void)user;
  static const struct {
    const char *name;
    BhNumber value;
  } known[] = {{"cores", {TRUE, 6, 0, 0}},      {"n", {TRUE, 10, 0, 0}},        {"chunk-size", {TRUE, 7, 0, 0}},
               {"workload.n", {TRUE, 3, 0, 0}}, {"share", {FALSE, 0, 0.25, 0}}, {"pause", {TRUE, 2000000, 0, 1}}};
  for (gsize i = 0; i < G_N_ELEMENTS(known); i++)
    if (!strcmp(known[i].name, name)) {
      *ret = known[i].value;
      return TRUE;
    }
  g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "unknown name '%s'", name);
  return FALSE;
}

typedef struct {
  const char *text;
  gint64 i;
  int time;
} Whole;

static void test_whole(void) {
  static const Whole rows[] = {
      {"1 + 2 * 3", 7, 0},
      {"(1 + 2) * 3", 9, 0},
      {"10 - 2 - 3", 5, 0},
      {"100 / 10 / 2", 5, 0},
      {"cores / 2", 3, 0},
      {"cores // 4", 1, 0},
      {"-7 // 2", -4, 0},
      {"-7 % 3", 2, 0},
      {"7 % -3", -2, 0},
      {"--3", 3, 0},
      {"2 * -3", -6, 0},
      {"max(1, n - 20)", 1, 0},
      {"min(n, 4, cores)", 4, 0},
      {"chunk-size - 1", 6, 0},
      {"n - 1", 9, 0},
      {"n-1", 9, 0},
      {"workload.n * 2", 6, 0},
      {"64KiB", 65536, 0},
      {"64 KiB / 4", 16384, 0},
      {"1e3 + 1_000", 2000, 0},
      {"n * 10ms", 100000000, 1},
      {"2 s + 500 ms", 2500000000, 1},
      {"pause / 1ms", 2, 0},
      {"max(pause, 5ms)", 5000000, 1},
      {"3s % 2s", 1000000000, 1},
      {"9223372036854775807 - 1", G_MAXINT64 - 1, 0},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autoptr(GError) error = NULL;
    BhNumber number = {0};
    g_test_message("%s", rows[i].text);
    g_autoptr(BhExpr) expr = bh_expr_parse(rows[i].text, (BhPosition){"f", 1, 1}, &error);
    g_assert_no_error(error);
    bh_expr_eval(expr, look_up, NULL, &number, &error);
    g_assert_no_error(error);
    g_assert_true(number.exact);
    g_assert_cmpint(number.i, ==, rows[i].i);
    g_assert_cmpint(number.time, ==, rows[i].time);
  }
}

static void test_real(void) {
  static const struct {
    const char *text;
    double r;
  } rows[] = {{"10 / 4", 2.5},  {"share * 2", 0.5},      {"0.5 + 1", 1.5},
              {"1 / share", 4}, {"min(share, 1)", 0.25}, {"-share", -0.25}};
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autoptr(GError) error = NULL;
    BhNumber number = {0};
    g_autoptr(BhExpr) expr = bh_expr_parse(rows[i].text, (BhPosition){"f", 1, 1}, &error);
    g_assert_no_error(error);
    bh_expr_eval(expr, look_up, NULL, &number, &error);
    g_assert_no_error(error);
    g_assert_false(number.exact);
    g_assert_cmpfloat(number.r, ==, rows[i].r);
  }
}

static void test_errors(void) {
  static const struct {
    const char *text, *message;
  } rows[] = {
      {"1 +", "f:2:13: the expression ends too early"},
      {"1 $ 2", "f:2:12: '$ 2' cannot stand here"},
      {"(1", "f:2:12: the expression ends"},
      {"1)", "f:2:11: ')' cannot stand here"},
      {"max(1", "f:2:15: the expression ends"},
      {"abs(1)", "f:2:10: unknown function 'abs'; known: min, max"},
      {"2 * x", "f:2:14: unknown name 'x'"},
      {"n / 0", "f:2:12: division by zero"},
      {"n // (n - 10)", "f:2:12: division by zero"},
      {"n % 0.0", "f:2:12: division by zero"},
      {"9223372036854775807 + 1", "f:2:30: the result is too large"},
      {"-9223372036854775807 - 2", "f:2:31: the result is too large"},
      {"(-9223372036854775807 - 1) // -1", "f:2:37: the result is too large"},
      {"1e18 * 1e18", "f:2:15: the result is too large"},
      {"1ms + 1", "f:2:14: a duration and a number do not go together"},
      {"12 apples", "f:2:10: '12apples' is no number with a unit"},
      {"", "f:2:10: the expression ends too early"},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autoptr(GError) error = NULL;
    BhNumber number = {0};
    g_autoptr(BhExpr) expr = bh_expr_parse(rows[i].text, (BhPosition){"f", 2, 10}, &error);
    if (expr)
      g_assert_false(bh_expr_eval(expr, look_up, NULL, &number, &error));
    g_assert_error(error, BH_ERROR, BH_ERROR_USAGE);
    g_test_message("%s -> %s", rows[i].text, error->message);
    g_assert_true(g_str_has_prefix(error->message, rows[i].message));
  }
}

static void test_bounds(void) {
  g_autoptr(GError) error = NULL;
  g_autofree char *minus = g_strnfill(200, '-');
  g_autofree char *signs = g_strconcat(minus, "1", NULL);
  g_assert_null(bh_expr_parse(signs, (BhPosition){"f", 1, 1}, &error));
  g_assert_error(error, BH_ERROR, BH_ERROR_USAGE);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/expr/whole", test_whole);
  g_test_add_func("/expr/real", test_real);
  g_test_add_func("/expr/errors", test_errors);
  g_test_add_func("/expr/bounds", test_bounds);
  return g_test_run();
}
