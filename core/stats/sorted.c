/* SPDX-License-Identifier: MIT
 * Owns sorting and selecting of figures, and the search for the k-th of a set too large to be written down. */
#include "stats/sorted.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { SMALL = 48 }; /* below this insertion is faster than qsort's calls */

static int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

void bh_sorted_sort(double *x, guint n) {
  if (n > SMALL) {
    qsort(x, n, sizeof *x, by_value);
    return;
  }
  for (guint i = 1; i < n; i++) {
    const double value = x[i];
    guint j = i;
    for (; j > 0 && x[j - 1] > value; j--)
      x[j] = x[j - 1];
    x[j] = value;
  }
}

double *bh_sorted_copy(const double *x, guint n) {
  double *copy = g_new(double, n);
  memcpy(copy, x, n * sizeof *copy);
  bh_sorted_sort(copy, n);
  return copy;
}

double bh_sorted_to_double(long double x) {
  return (double)CLAMP(x, -(long double)DBL_MAX, (long double)DBL_MAX);
}

double bh_sorted_median(const double *x, guint n) {
  return n % 2 ? x[n / 2] : bh_sorted_to_double(((long double)x[n / 2 - 1] + x[n / 2]) / 2);
}

double bh_sorted_quantile(const double *x, guint n, double q) {
  const long double at = (long double)(n - 1) * CLAMP(q, 0., 1.);
  const guint below = MIN((guint)at, n - 1);
  if (below == n - 1)
    return x[below];
  return bh_sorted_to_double(x[below] + (at - below) * ((long double)x[below + 1] - x[below]));
}

double bh_sorted_normal_quantile(double p) {
  double low = -39, high = 39; /* beyond, the tail is less than the least double */
  for (guint i = 0; i < 120 && low < high; i++) {
    const double z = (low + high) / 2;
    if (0.5 * erfc(-z * M_SQRT1_2) < p)
      low = z;
    else
      high = z;
  }
  return (low + high) / 2;
}

/* Doubles as integers in the same order: the bits of positive ones already are; those of negative ones run backwards.
 */
static gint64 to_order(double x) {
  gint64 bits;
  memcpy(&bits, &x, sizeof bits);
  return bits < 0 ? G_MININT64 - bits : bits;
}

static double from_order(gint64 order) {
  const gint64 bits = order < 0 ? G_MININT64 - order : order;
  double x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

double bh_sorted_bisect(double low, double high, guint64 k, BhSortedCount count, gconstpointer data) {
  gint64 below = to_order(CLAMP(low, -DBL_MAX, DBL_MAX)), above = to_order(CLAMP(high, -DBL_MAX, DBL_MAX));
  while (below < above) {
    /* Without overflow: the two may have opposite signs. */
    const gint64 middle = (below & above) + ((below ^ above) >> 1);
    if (count(from_order(middle), data) >= k)
      above = middle;
    else
      below = middle + 1;
  }
  return from_order(above) + 0.; /* -0 becomes 0 */
}
