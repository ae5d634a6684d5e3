/* SPDX-License-Identifier: MIT
 * Owns the arithmetic of parallel metrics. */
#include "parallel/formulas.h"

#include <math.h>

double bh_formula_karp_flatt(double speedup, double p) {
  return (1 / speedup - 1 / p) / (1 - 1 / p);
}

/* Modified Gram-Schmidt on the weighted rows, in long double: N up to thousands makes the columns nearly parallel, and
 * normal equations would square that. `a`: n x 3, `y`: n; both are used up. */
static gboolean solve3(long double (*a)[3], long double *y, guint n, long double *ret) {
  long double r[3][3] = {{0}}, q[3];
  for (guint k = 0; k < 3; k++) {
    long double before = 0, norm = 0;
    for (guint i = 0; i < n; i++)
      before += a[i][k] * a[i][k];
    for (guint j = 0; j < k; j++) {
      for (guint i = 0; i < n; i++)
        r[j][k] += a[i][j] * a[i][k];
      for (guint i = 0; i < n; i++)
        a[i][k] -= r[j][k] * a[i][j];
    }
    for (guint i = 0; i < n; i++)
      norm += a[i][k] * a[i][k];
    if (!(norm > before * 1e-24L)) /* a column that the others make up: fewer than 3 different N */
      return FALSE;
    r[k][k] = sqrtl(norm);
    q[k] = 0;
    for (guint i = 0; i < n; i++) {
      a[i][k] /= r[k][k];
      q[k] += a[i][k] * y[i];
    }
    for (guint i = 0; i < n; i++)
      y[i] -= q[k] * a[i][k];
  }
  for (int k = 2; k >= 0; k--) {
    ret[k] = q[k];
    for (int j = k + 1; j < 3; j++)
      ret[k] -= r[k][j] * ret[j];
    ret[k] /= r[k][k];
  }
  return TRUE;
}

gboolean bh_formula_usl(const double *workers, const double *seconds, guint n, BhUsl *ret, double *ret_residuals) {
  long double(*rows)[3] = g_malloc_n(n, sizeof *rows);
  g_autofree long double *ones = g_new(long double, n);
  long double c[3];
  for (guint i = 0; i < n; i++) {
    const long double N = workers[i], weight = 1 / (N * seconds[i]);
    rows[i][0] = weight;
    rows[i][1] = weight * (N - 1);
    rows[i][2] = weight * N * (N - 1);
    ones[i] = 1;
  }
  const gboolean solved = n >= 3 && solve3(rows, ones, n, c);
  g_free(rows);
  if (!solved || !(c[0] > 0))
    return FALSE;
  *ret = (BhUsl){.lambda = (double)(1 / c[0]), .alpha = (double)(c[1] / c[0]), .beta = (double)(c[2] / c[0])};
  for (guint i = 0; ret_residuals && i < n; i++) {
    const long double N = workers[i], fitted = (c[0] + c[1] * (N - 1) + c[2] * N * (N - 1)) / N;
    ret_residuals[i] = (double)(seconds[i] / fitted - 1);
  }
  return isfinite(ret->lambda) && isfinite(ret->alpha) && isfinite(ret->beta);
}

double bh_formula_usl_peak(const BhUsl *fit) {
  if (!(fit->beta > 0))
    return INFINITY;
  return fit->alpha < 1 ? fmax(1, sqrt((1 - fit->alpha) / fit->beta)) : 1;
}

guint bh_formula_crossings(const double *x, const double *y, guint n, double level, double *ret) {
  guint found = 0, last = 0;
  int side = 0;
  for (guint i = 0; i < n; i++) {
    const double d = y[i] - level;
    const int here = (d > 0) - (d < 0);
    if (here == 0)
      continue;
    if (side &&
        here != side) { /* between `last` and i; points on the level lie in between, and the line is through them */
      guint a = last, b = last + 1;
      while (b < i && y[b] == level)
        b++;
      if (b > last + 1)
        ret[found++] = sqrt(x[a + 1] * x[b - 1]); /* the middle of a stretch along the level */
      else
        ret[found++] = exp(log(x[a]) + (level - y[a]) / (y[i] - y[a]) * (log(x[i]) - log(x[a])));
    }
    side = here;
    last = i;
  }
  return found;
}

double bh_formula_between(const double *xs, const double *ys, guint n, double x) {
  guint i = 0;
  while (i + 2 < n && xs[i + 1] < x)
    i++;
  const double t = (log(x) - log(xs[i])) / (log(xs[i + 1]) - log(xs[i]));
  return exp(log(ys[i]) + t * (log(ys[i + 1]) - log(ys[i])));
}

double bh_formula_roof(double flops, double bytes, double peak_flops, double peak_bytes) {
  const double compute = flops > 0 ? peak_flops / flops : INFINITY;
  const double memory = bytes > 0 ? peak_bytes / bytes : INFINITY;
  return fmin(compute, memory);
}
