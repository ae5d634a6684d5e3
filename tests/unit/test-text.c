/* SPDX-License-Identifier: MIT
 * Figures with units and suggestions. */
#include "base/text.h"

#include <string.h>

typedef struct {
  double value;
  const char *expected;
} Figure;

static void test_duration(void) {
  static const Figure figures[] = {
      {0, "0 ns"},          {1, "1.000 ns"},      {0.25, "0.2500 ns"},    {123.4, "123.4 ns"},
      {999.94, "999.9 ns"}, {999.96, "1.000 us"}, {1234000, "1.234 ms"},  {9999.6, "10.00 us"},
      {1.5e9, "1.500 s"},   {3.6e12, "3600 s"},   {9.9996e6, "10.00 ms"}, {-2500, "-2.500 us"},
      {1e16, "10000000 s"},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(figures); i++) {
    g_autofree char *text = bh_text_duration(figures[i].value);
    g_assert_cmpstr(text, ==, figures[i].expected);
  }
}

static void test_bytes(void) {
  static const Figure figures[] = {{0, "0 B"},
                                   {512, "512 B"},
                                   {1024, "1.000 KiB"},
                                   {65536, "64.00 KiB"},
                                   {1610612736, "1.500 GiB"},
                                   {1536.0 * 1024, "1.500 MiB"}};
  for (gsize i = 0; i < G_N_ELEMENTS(figures); i++) {
    g_autofree char *text = bh_text_bytes(figures[i].value);
    g_assert_cmpstr(text, ==, figures[i].expected);
  }
}

static void test_rate(void) {
  g_autofree char *million = bh_text_rate(1234000, "numbers");
  g_assert_cmpstr(million, ==, "1.234 M numbers/s");
  g_autofree char *few = bh_text_rate(12.5, NULL);
  g_assert_cmpstr(few, ==, "12.50 items/s");
}

static void test_double(void) {
  static const Figure figures[] = {{0.1, "0.1"}, {1000, "1000"}, {1.0 / 3, "0.3333333333333333"}, {-1e300, "-1e+300"}};
  for (gsize i = 0; i < G_N_ELEMENTS(figures); i++) {
    g_autofree char *text = bh_text_double(figures[i].value);
    g_assert_cmpstr(text, ==, figures[i].expected);
    g_assert_cmpfloat(g_ascii_strtod(text, NULL), ==, figures[i].value);
  }
}

static void test_closest(void) {
  static const char *const names[] = {"prime", "sleep", "chunk-mean", "n", NULL};
  g_assert_cmpstr(bh_text_closest("prme", names), ==, "prime");
  g_assert_cmpstr(bh_text_closest("Prime", names), ==, "prime");
  g_assert_cmpstr(bh_text_closest("pirme", names), ==, "prime");
  g_assert_cmpstr(bh_text_closest("chunkmeans", names), ==, "chunk-mean");
  g_assert_null(bh_text_closest("q", names)); /* nothing in common with "n" */
  g_assert_null(bh_text_closest("memory", names));
  g_assert_null(bh_text_closest("", names));
  g_autofree char *hint = bh_text_suggest("slep", names);
  g_assert_cmpstr(hint, ==, ": did you mean 'sleep'?");
  g_autofree char *known = bh_text_suggest("memory", names);
  g_assert_cmpstr(known, ==, "; known: prime, sleep, chunk-mean, n");
  static const char *const none[] = {NULL};
  g_autofree char *nothing = bh_text_suggest("memory", none);
  g_assert_cmpstr(nothing, ==, "");
  static const char *const many[] = {"a1", "a2", "a3", "a4", "a5", "a6", "a7",
                                     "a8", "a9", "b0", "b1", "b2", "b3", NULL};
  g_autofree char *cut = bh_text_suggest("unlike", many);
  g_assert_true(g_str_has_suffix(cut, "b2, ..."));
}

static void test_shown(void) {
  g_autofree char *plain = bh_text_shown("a\nb\tc\x01");
  g_assert_cmpstr(plain, ==, "a b c ");
  g_autofree char *bad = bh_text_shown("x\xffy");
  g_assert_true(g_utf8_validate(bad, -1, NULL));
  g_autofree char *a_lot = g_strnfill(1000, 'x');
  g_autofree char *cut = bh_text_shown(a_lot);
  g_assert_cmpuint(strlen(cut), ==, 63);
  g_assert_true(g_str_has_suffix(cut, "x..."));
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/text/duration", test_duration);
  g_test_add_func("/text/bytes", test_bytes);
  g_test_add_func("/text/rate", test_rate);
  g_test_add_func("/text/double", test_double);
  g_test_add_func("/text/closest", test_closest);
  g_test_add_func("/text/shown", test_shown);
  return g_test_run();
}
