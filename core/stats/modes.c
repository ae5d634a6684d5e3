/* SPDX-License-Identifier: MIT
 * Owns the count of modes: two clusters (a mixture of two normal distributions of one width) against single-peaked
 * shapes, by likelihood. How often it is wrong: tests/calibration/coverage.c, docs/calibration.md. */
#include "stats/series.h"
#include "stats/sorted.h"

#include <math.h>

enum {
  MIN_SAMPLES = 12,
  MIN_CLUSTER = 3,
  MOST = 512, /* larger samples are thinned to as many quantiles */
  STEPS = 200,
};
static const double MIN_SHARE = 0.1, MIN_DISTANCE = 3,
                    MIN_GAIN = 2; /* gain: natural logarithm of the likelihoods' ratio */
#define LOG_2_PI 1.8378770664093453

typedef struct {
  double share, low, high, sd; /* of the upper cluster; means of both; their common standard deviation */
  double likelihood;           /* natural logarithm */
} Mixture;

static double normal_likelihood(guint n, double sd) {
  return -(double)n * (log(sd) + 0.5 * LOG_2_PI + 0.5);
}

static double mean_of(const double *x, guint n) {
  double sum = 0;
  for (guint i = 0; i < n; i++)
    sum += x[i];
  return sum / n;
}

static double sd_of(const double *x, guint n, double mean) {
  double squares = 0;
  for (guint i = 0; i < n; i++)
    squares += (x[i] - mean) * (x[i] - mean);
  return sqrt(squares / n);
}

/* Of x above `from` (sign 1) or below it (sign -1): log(distance) is normal. `floor` keeps it from growing without
 * limit around one value. */
static double lognormal_likelihood(const double *x, guint n, double from, int sign, double floor) {
  double logs[MOST];
  for (guint i = 0; i < n; i++)
    logs[i] = log(sign * (x[i] - from));
  const double mean = mean_of(logs, n);
  return normal_likelihood(n, MAX(sd_of(logs, n, mean), floor)) - n * mean;
}

/* The best that one peak can do. x lies within 0 .. 1, sorted. */
static double one_peak(const double *x, guint n, double floor) {
  const double mean = mean_of(x, n), middle = bh_sorted_median(x, n);
  /* Uniform over 0 .. 1 would be 0. It always knows both ends too well, which would hide two equal clusters: hence
   * less, as much as keeps uniform samples below 5 % (simulated). */
  const double uniform = -4 * (1 - (double)MIN_SAMPLES / n);
  double best = MAX(uniform, normal_likelihood(n, MAX(sd_of(x, n, mean), floor)));
  double deviation = 0;
  for (guint i = 0; i < n; i++)
    deviation += fabs(x[i] - middle) / n;
  best = MAX(best, -(double)n * (1 + log(2 * MAX(deviation, floor))));       /* Laplace */
  best = MAX(best, -(double)n * (1 + log(MAX(MIN(mean, 1 - mean), floor)))); /* exponential, either way */
  for (double off = 0.02; off < 50; off *= 1.5) {
    best = MAX(best, lognormal_likelihood(x, n, -off, 1, floor));
    best = MAX(best, lognormal_likelihood(x, n, 1 + off, -1, floor));
  }
  return best;
}

/* Where to start: the cut into two that is best with each value wholly in one cluster. */
static Mixture best_cut(const double *x, guint n, double floor) {
  Mixture best = {.likelihood = -INFINITY};
  double total = 0, squares = 0, sum = 0;
  for (guint i = 0; i < n; i++) {
    total += x[i];
    squares += x[i] * x[i];
  }
  for (guint k = 1; k < n; k++) { /* k values below */
    sum += x[k - 1];
    if (k < MIN_CLUSTER || n - k < MIN_CLUSTER)
      continue;
    const double low = sum / k, high = (total - sum) / (n - k), share = (double)(n - k) / n;
    const double within = (squares - k * low * low - (n - k) * high * high) / n;
    const double sd = MAX(sqrt(MAX(within, 0)), floor);
    const double likelihood = k * log(1 - share) + (n - k) * log(share) - n * log(sd);
    if (likelihood > best.likelihood)
      best = (Mixture){.share = share, .low = low, .high = high, .sd = sd, .likelihood = likelihood};
  }
  return best;
}

/* One step of expectation and maximization (Dempster, Laird, Rubin 1977); the likelihood is that before it. */
static Mixture improved(const double *x, guint n, const Mixture *old, double floor) {
  Mixture new = {.likelihood = -(double)n * (log(old->sd) + 0.5 * LOG_2_PI)};
  double high = 0, sum_low = 0, sum_high = 0, squares = 0;
  for (guint i = 0; i < n; i++) {
    const double a = (x[i] - old->low) / old->sd, b = (x[i] - old->high) / old->sd;
    const double from_low = log(1 - old->share) - 0.5 * a * a, from_high = log(old->share) - 0.5 * b * b;
    const double larger = MAX(from_low, from_high), both = exp(from_low - larger) + exp(from_high - larger);
    const double belongs = exp(from_high - larger) / both;
    new.likelihood += larger + log(both);
    high += belongs;
    sum_high += belongs * x[i];
    sum_low += (1 - belongs) * x[i];
    squares += x[i] * x[i];
  }
  new.share = CLAMP(high / n, 1e-9, 1 - 1e-9);
  new.high = sum_high / MAX(high, 1e-9);
  new.low = sum_low / MAX(n - high, 1e-9);
  const double within = (squares - high * new.high *new.high - (n - high) * new.low *new.low) / n;
  new.sd = MAX(sqrt(MAX(within, 0)), floor);
  return new;
}

static Mixture two_peaks(const double *x, guint n, double floor) {
  Mixture mixture = best_cut(x, n, floor);
  double before = -INFINITY;
  for (guint i = 0; i < STEPS; i++) {
    const Mixture next = improved(x, n, &mixture, floor);
    mixture.likelihood = next.likelihood;
    if (next.likelihood - before < 1e-6)
      break;
    before = next.likelihood;
    mixture = next;
  }
  return mixture;
}

/* Brings `sorted` to 0 .. 1, thinned. Returns how many; 0: all are equal. `ret_tick`: the least step between two. */
static guint scaled(const double *sorted, guint n, double x[MOST], double *ret_tick) {
  const long double low = sorted[0], range = (long double)sorted[n - 1] - low;
  if (!(range > 0))
    return 0;
  const guint kept = MIN(n, MOST);
  long double tick = range;
  for (guint i = 1; i < n; i++)
    if (sorted[i] > sorted[i - 1])
      tick = MIN(tick, (long double)sorted[i] - sorted[i - 1]);
  for (guint i = 0; i < kept; i++)
    x[i] = (double)((sorted[(guint)((i + 0.5) * n / kept)] - low) / range);
  *ret_tick = (double)(tick / range);
  return kept;
}

static guint modes_of(const double *sorted, guint n) {
  double x[MOST], tick;
  const guint kept = n < MIN_SAMPLES ? 0 : scaled(sorted, n, x, &tick);
  if (kept == 0)
    return 1;
  /* A clock's tick widens every cluster: two neighbouring ticks are 2 standard deviations apart, so no two modes. */
  const double floor = MAX(tick / 2, 1e-6);
  const Mixture mixture = two_peaks(x, kept, floor);
  if (MIN(mixture.share, 1 - mixture.share) < MAX(MIN_SHARE, (double)MIN_CLUSTER / n) ||
      mixture.high - mixture.low < MIN_DISTANCE * mixture.sd ||
      mixture.likelihood - one_peak(x, kept, floor) < MIN_GAIN)
    return 1;
  const double middle =
      (mixture.low + mixture.high) / 2 + mixture.sd * mixture.sd * log((1 - mixture.share) / mixture.share) /
                                             (mixture.high - mixture.low); /* equally likely to be of either */
  guint below = 0;
  for (guint i = 0; i < kept; i++)
    below += x[i] < middle;
  const guint cut = (guint)((guint64)below * n / kept);
  if (cut == 0 || cut == n)
    return 1;
  return modes_of(sorted, cut) + modes_of(sorted + cut, n - cut);
}

guint bh_stats_modes(const double *x, guint n) {
  if (n < MIN_SAMPLES)
    return 1;
  g_autofree double *sorted = bh_sorted_copy(x, n);
  return modes_of(sorted, n);
}
