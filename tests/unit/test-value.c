/* SPDX-License-Identifier: MIT
 * Typed values: what is read, what is refused and why, and that canonical texts parse back. */
#include "base/value.h"

#include <string.h>

static void check_whole(gboolean (*parse)(const char *, gint64 *, GError **), const char *text, gint64 expected) {
  g_autoptr(GError) error = NULL;
  gint64 value = -12345;
  g_test_message("%s", text);
  parse(text, &value, &error);
  g_assert_no_error(error);
  g_assert_cmpint(value, ==, expected);
}

static void refuse_whole(gboolean (*parse)(const char *, gint64 *, GError **), const char *text, const char *phrase) {
  g_autoptr(GError) error = NULL;
  gint64 value = -12345;
  g_test_message("%s", text);
  g_assert_false(parse(text, &value, &error));
  g_assert_error(error, BH_ERROR, BH_ERROR_USAGE);
  g_test_message("%s", error->message);
  g_assert_nonnull(strstr(error->message, phrase));
  g_assert_cmpint(value, ==, -12345);
}

static void test_int(void) {
  check_whole(bh_value_parse_int, "0", 0);
  check_whole(bh_value_parse_int, "-17", -17);
  check_whole(bh_value_parse_int, "+17", 17);
  check_whole(bh_value_parse_int, "1e6", 1000000);
  check_whole(bh_value_parse_int, "1.5e3", 1500);
  check_whole(bh_value_parse_int, "1200e-2", 12);
  check_whole(bh_value_parse_int, "1_000_000", 1000000);
  check_whole(bh_value_parse_int, "007", 7);
  check_whole(bh_value_parse_int, "10.50e1", 105);
  check_whole(bh_value_parse_int, "3.000", 3);
  check_whole(bh_value_parse_int, " 5 ", 5);
  check_whole(bh_value_parse_int, "9223372036854775807", G_MAXINT64);
  check_whole(bh_value_parse_int, "0e999999999999999999999", 0);
  refuse_whole(bh_value_parse_int, "9223372036854775808", "too large");
  refuse_whole(bh_value_parse_int, "1e19", "too large");
  refuse_whole(bh_value_parse_int, "1e999999999999999999999", "too large");
  refuse_whole(bh_value_parse_int, "1.5", "no whole number");
  refuse_whole(bh_value_parse_int, "1e-1", "no whole number");
  refuse_whole(bh_value_parse_int, "1__0", "'__0' follows");
  refuse_whole(bh_value_parse_int, "12x", "'x' follows");
  refuse_whole(bh_value_parse_int, "", "not an integer");
  refuse_whole(bh_value_parse_int, "ten", "not an integer");
  refuse_whole(bh_value_parse_int, "nan", "not an integer");
  refuse_whole(bh_value_parse_int, "1111111111111111111111111", "too many digits");
}

static void test_size(void) {
  check_whole(bh_value_parse_size, "512", 512);
  check_whole(bh_value_parse_size, "64KiB", 65536);
  check_whole(bh_value_parse_size, "64 KiB", 65536);
  check_whole(bh_value_parse_size, "500 MB", 500000000);
  check_whole(bh_value_parse_size, "1.5GiB", 1610612736);
  check_whole(bh_value_parse_size, "8TiB", 8796093022208);
  check_whole(bh_value_parse_size, "1 kB", 1000);
  refuse_whole(bh_value_parse_size, "1.3 KiB", "whole number of bytes"); /* 1331.2 */
  refuse_whole(bh_value_parse_size, "12 apples", "unknown unit 'apples'");
  refuse_whole(bh_value_parse_size, "-1 KiB", "negative");
  refuse_whole(bh_value_parse_size, "9000000 TiB", "too large");
}

static void test_duration(void) {
  check_whole(bh_value_parse_duration, "10ms", 10000000);
  check_whole(bh_value_parse_duration, "0.1", 100000000);
  check_whole(bh_value_parse_duration, "1.5 s", 1500000000);
  check_whole(bh_value_parse_duration, "2min", 120000000000);
  check_whole(bh_value_parse_duration, "10m", 600000000000);
  check_whole(bh_value_parse_duration, "1h", 3600000000000);
  check_whole(bh_value_parse_duration, "250us", 250000);
  check_whole(bh_value_parse_duration, "7ns", 7);
  refuse_whole(bh_value_parse_duration, "0.5ns", "whole number of nanoseconds");
  refuse_whole(bh_value_parse_duration, "3 days", "unknown unit 'days'");
  refuse_whole(bh_value_parse_duration, "-1s", "negative");
}

static void test_real(void) {
  double value = 0;
  g_autoptr(GError) error = NULL;
  g_assert_true(bh_value_parse_real("1_000.25", &value, &error));
  g_assert_cmpfloat(value, ==, 1000.25);
  g_assert_true(bh_value_parse_real("-1e-3", &value, &error));
  g_assert_cmpfloat(value, ==, -0.001);
  static const char *const wrong[] = {"", "nan", "inf", "-infinity", "0x10", "1e999", "1,5", "1.5 s", "0.1.2"};
  for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
    g_test_message("%s", wrong[i]);
    g_assert_false(bh_value_parse_real(wrong[i], &value, &error));
    g_assert_error(error, BH_ERROR, BH_ERROR_USAGE);
    g_clear_error(&error);
  }
}

static char *words[] = {"static", "dynamic", "guided", NULL};

/* One row: a parameter and a text; `canonical` NULL: refused with `phrase`. */
typedef struct {
  bh_type type;
  double min, max;
  const char *text, *canonical, *phrase;
} Row;

static const Row rows[] = {
    {BH_INT, 0, 0, "1e3", "1000", NULL},
    {BH_INT, 0, 0, "-5", "-5", NULL},
    {BH_INT, 1, 1024, "1024", "1024", NULL},
    {BH_INT, 1, 1024, "0", NULL, "expected 1 to 1024"},
    {BH_INT, 1, 1024, "1025", NULL, "expected 1 to 1024"},
    {BH_INT, 0, BH_UNBOUNDED, "-1", NULL, "expected at least 0"},
    {BH_INT, -BH_UNBOUNDED, 7, "8", NULL, "expected at most 7"},
    {BH_REAL, 0, 1, "0.50", "0.5", NULL},
    {BH_REAL, 0, 1, "-0.0", "0", NULL},
    {BH_REAL, 0, 1, "1.5", NULL, "expected 0 to 1"},
    {BH_REAL, 0, 0, "0.1", "0.1", NULL},
    {BH_SIZE, 0, 0, "64 KiB", "65536", NULL},
    {BH_SIZE, 1, 1024, "1MiB", NULL, "expected 1 B to 1.000 KiB"},
    {BH_DURATION, 0, 0, "1.5s", "1500000000ns", NULL},
    {BH_BOOL, 0, 0, "true", "true", NULL},
    {BH_BOOL, 0, 0, "yes", NULL, "expected true or false"},
    {BH_CHOICE, 0, 0, "guided", "guided", NULL},
    {BH_CHOICE, 0, 0, "dynamik", NULL, "did you mean 'dynamic'?"},
    {BH_CHOICE, 0, 0, "zzz", NULL, "known: static, dynamic, guided"},
    {BH_TEXT, 0, 0, " as is ", " as is ", NULL},
    {BH_TEXT, 0, 0, "\xff", NULL, "not valid UTF-8"},
    {BH_WORDS, 0, 0, "ls -l 'a b' \"c d\"", "ls -l 'a b' 'c d'", NULL},
    {BH_WORDS, 0, 0, "", "", NULL},
    {BH_WORDS, 0, 0, "ls 'open", NULL, "cannot be split"},
};

static void test_rows(void) {
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    const Row *row = &rows[i];
    const BhParam param = {.name = (char *)"p", .type = row->type, .choices = words, .min = row->min, .max = row->max};
    g_autoptr(GError) error = NULL;
    g_test_message("row %u: %s", (guint)i, bh_type_name(row->type));
    g_autoptr(BhValue) value = bh_value_parse(&param, row->text, &error);
    if (!row->canonical) {
      g_assert_null(value);
      g_assert_error(error, BH_ERROR, BH_ERROR_USAGE);
      g_test_message("%s", error->message);
      g_assert_nonnull(strstr(error->message, row->phrase));
      continue;
    }
    g_assert_no_error(error);
    g_assert_cmpstr(value->text, ==, row->canonical);
    g_autoptr(BhValue) again = bh_value_parse(&param, value->text, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(again->text, ==, row->canonical);
    g_assert_cmpint(again->i, ==, value->i);
    g_assert_cmpfloat(again->r, ==, value->r);
    g_assert_cmpstr(again->s, ==, value->s);
  }
}

static void test_views(void) {
  const BhParam choice = {.name = (char *)"schedule", .type = BH_CHOICE, .choices = words};
  g_autoptr(GError) error = NULL;
  g_autoptr(BhValue) value = bh_value_parse(&choice, "guided", &error);
  g_assert_no_error(error);
  g_assert_cmpint(bh_value_view(value).given, ==, 1);
  value->given = FALSE;
  const bh_value view = bh_value_view(value);
  g_assert_cmpint(view.i, ==, 2);
  g_assert_cmpstr(view.s, ==, "guided");
  g_assert_cmpint(view.given, ==, 0);
  g_assert_null(view.words);

  const BhParam command = {.name = (char *)"argv", .type = BH_WORDS};
  static const char *const list[] = {"echo", "", "it's", NULL};
  g_autoptr(BhValue) argv = bh_value_new_words(&command, list, &error);
  g_assert_no_error(error);
  g_autoptr(BhValue) parsed = bh_value_parse(&command, argv->text, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(g_strv_length(parsed->words), ==, 3);
  g_assert_cmpstr(parsed->words[1], ==, "");
  g_assert_cmpstr(bh_value_view(parsed).words[2], ==, "it's");
  g_assert_null(bh_value_new_words(&choice, list, &error));
  g_assert_error(error, BH_ERROR, BH_ERROR_USAGE);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/value/int", test_int);
  g_test_add_func("/value/size", test_size);
  g_test_add_func("/value/duration", test_duration);
  g_test_add_func("/value/real", test_real);
  g_test_add_func("/value/parameters", test_rows);
  g_test_add_func("/value/views", test_views);
  return g_test_run();
}
