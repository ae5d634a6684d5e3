/* SPDX-License-Identifier: MIT
 * benchhost/random.h against the published outputs of SplitMix64, and against what uniform numbers must look like. */
#include <benchhost/random.h>
#include <glib.h>
#include <math.h>

/* Outputs of Vigna's splitmix64.c: started at 0, and at 1234567 (the vector that Rosetta Code publishes). */
static void test_published(void) {
  static const guint64 zero[] = {G_GUINT64_CONSTANT(0xe220a8397b1dcdaf), G_GUINT64_CONSTANT(0x6e789e6aa1b965f4),
                                 G_GUINT64_CONSTANT(0x06c45d188009454f), G_GUINT64_CONSTANT(0xf88bb8a8724c81ec),
                                 G_GUINT64_CONSTANT(0x1b39896a51a8749b)};
  static const guint64 other[] = {G_GUINT64_CONSTANT(6457827717110365317), G_GUINT64_CONSTANT(3203168211198807973),
                                  G_GUINT64_CONSTANT(9817491932198370423), G_GUINT64_CONSTANT(4593380528125082431),
                                  G_GUINT64_CONSTANT(16408922859458223821)};
  for (guint i = 0; i < 5; i++) {
    g_assert_cmphex(bh_random_u64(0, i), ==, zero[i]);
    g_assert_cmpuint(bh_random_u64(1234567, i), ==, other[i]);
  }
}

/* Any position alone gives what a walk through all positions before it gives. */
static void test_by_position(void) {
  guint64 state = 42;
  for (guint64 i = 0; i < 1000; i++) {
    state += G_GUINT64_CONSTANT(0x9E3779B97F4A7C15);
    guint64 z = state;
    z = (z ^ (z >> 30)) * G_GUINT64_CONSTANT(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * G_GUINT64_CONSTANT(0x94D049BB133111EB);
    g_assert_cmphex(bh_random_u64(42, i), ==, z ^ (z >> 31));
  }
}

/* Mean 1/2, variance 1/12, neighbours uncorrelated: each within 6 standard errors, for 1e6 numbers of a fixed seed. */
static void test_unit(void) {
  const guint n = 1000000;
  double sum = 0, squares = 0, products = 0, last = 0.5;
  for (guint i = 0; i < n; i++) {
    double u = bh_random_unit(7, i);
    g_assert_cmpfloat(u, >=, 0);
    g_assert_cmpfloat(u, <, 1);
    g_assert_cmpfloat(u * 0x1p53, ==, floor(u * 0x1p53));
    sum += u;
    squares += (u - 0.5) * (u - 0.5);
    products += (u - 0.5) * (last - 0.5);
    last = u;
  }
  g_assert_cmpfloat_with_epsilon(sum / n, 0.5, 6 * sqrt(1.0 / 12 / n));
  g_assert_cmpfloat_with_epsilon(squares / n, 1.0 / 12, 6 * sqrt(1.0 / 180 / n));
  g_assert_cmpfloat_with_epsilon(products / n, 0, 6.0 / 12 / sqrt(n));
}

/* 26 letters, 260,000 draws: chi-square with 25 degrees of freedom stays below 60 (p = 1e-4). */
static void test_below(void) {
  guint counts[26] = {0};
  double chi = 0;
  for (guint i = 0; i < 260000; i++) {
    guint letter = bh_random_below(99, i, 26);
    g_assert_cmpuint(letter, <, 26);
    counts[letter]++;
  }
  for (guint k = 0; k < 26; k++)
    chi += (counts[k] - 10000.0) * (counts[k] - 10000.0) / 10000.0;
  g_assert_cmpfloat(chi, <, 60);
  g_assert_cmpuint(bh_random_below(1, 1, 1), ==, 0);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/random/published", test_published);
  g_test_add_func("/random/by-position", test_by_position);
  g_test_add_func("/random/unit", test_unit);
  g_test_add_func("/random/below", test_below);
  return g_test_run();
}
