/* SPDX-License-Identifier: MIT
 * Owns the rules of other tools, as they are published, for comparison on the same samples. */
#include "peers.h"

#include "rate.h"

#include <math.h>

const char *const peer_names[PEER_N] = {"mean above 5 %",
                                        "minimum above 5 %",
                                        "Welch's t, p < .05",
                                        "U test, p < .05 (google-benchmark)",
                                        "mean +- sd apart (hyperfine)",
                                        "ratio +- error above 1 (hyperfine)"};

static double mean(const double *x, guint n) {
  double sum = 0;
  for (guint i = 0; i < n; i++)
    sum += x[i];
  return sum / n;
}

/* Sample variance. */
static double variance(const double *x, guint n) {
  const double m = mean(x, n);
  double sum = 0;
  for (guint i = 0; i < n; i++)
    sum += (x[i] - m) * (x[i] - m);
  return sum / (n - 1);
}

static double smallest(const double *x, guint n) {
  double m = x[0];
  for (guint i = 1; i < n; i++)
    m = MIN(m, x[i]);
  return m;
}

/* One-sided, with Welch's and Satterthwaite's degrees of freedom. */
static double welch(const double *base, const double *candidate, guint n) {
  const double vb = variance(base, n) / n, vc = variance(candidate, n) / n;
  const double difference = mean(candidate, n) - mean(base, n);
  if (!(vb + vc > 0))
    return difference > 0 ? 0 : 1;
  return rate_student_upper(difference / sqrt(vb + vc), (vb + vc) * (vb + vc) / ((vb * vb + vc * vc) / (n - 1)));
}

/* One-sided p of the U test as SciPy's mannwhitneyu has it for more than 8 samples without ties: normal, with
 * correction for continuity. */
static double u_test(const double *base, const double *candidate, guint n) {
  double u = 0;
  for (guint i = 0; i < n; i++)
    for (guint j = 0; j < n; j++)
      u += candidate[i] > base[j] ? 1 : candidate[i] < base[j] ? 0 : 0.5;
  return rate_normal_upper((u - n * (double)n / 2 - 0.5) / sqrt(n * (double)n * (2. * n + 1) / 12));
}

/* The ratio of means less its error, which is the two relative standard deviations' root sum of squares. */
static double least_ratio(const double *base, const double *candidate, guint n) {
  const double b = mean(base, n), c = mean(candidate, n), ratio = c / b;
  return ratio - ratio * sqrt(variance(base, n) / (b * b) + variance(candidate, n) / (c * c));
}

gboolean peer_flags(Peer peer, const double *base, const double *candidate, guint n) {
  switch (peer) {
  case PEER_MEAN:
    return mean(candidate, n) > 1.05 * mean(base, n);
  case PEER_MIN:
    return smallest(candidate, n) > 1.05 * smallest(base, n);
  case PEER_WELCH:
    return welch(base, candidate, n) < 0.05;
  case PEER_U: /* the two-sided p is twice the smaller one-sided */
    return u_test(base, candidate, n) < 0.025;
  case PEER_SD:
    return mean(candidate, n) - sqrt(variance(candidate, n)) > mean(base, n) + sqrt(variance(base, n));
  case PEER_RATIO:
    return least_ratio(base, candidate, n) > 1;
  default:
    g_return_val_if_reached(FALSE);
  }
}
