/* SPDX-License-Identifier: MIT
 * Owns rates with exact intervals, by the incomplete beta function. */
#include "rate.h"

#include <math.h>

void rate_add(Rate *rate, gboolean hit) {
  rate->of++;
  rate->hits += hit != 0;
}

double rate_value(Rate rate) {
  return rate.of ? (double)rate.hits / (double)rate.of : 0;
}

/* Lentz's method on the continued fraction DLMF 8.17.22; converges for x < (a+1)/(a+b+2). */
static double beta_fraction(double a, double b, double x) {
  const double tiny = 1e-300;
  double c = 1, d = 1 - (a + b) * x / (a + 1);
  d = 1 / (fabs(d) < tiny ? tiny : d);
  double result = d;
  for (guint m = 1; m < 100000; m++) {
    for (guint odd = 0; odd < 2; odd++) {
      const double k = odd ? -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
                           : m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
      d = 1 + k * d;
      d = 1 / (fabs(d) < tiny ? tiny : d);
      c = 1 + k / c;
      c = fabs(c) < tiny ? tiny : c;
      result *= c * d;
    }
    if (fabs(c * d - 1) < 1e-15)
      break;
  }
  return result;
}

double rate_incomplete_beta(double a, double b, double x) {
  if (x <= 0 || x >= 1)
    return x > 0;
  const double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
  if (x < (a + 1) / (a + b + 2))
    return front * beta_fraction(a, b, x) / a;
  return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

static double beta_quantile(double a, double b, double p) {
  double low = 0, high = 1;
  for (guint i = 0; i < 60; i++) {
    const double x = (low + high) / 2;
    *(rate_incomplete_beta(a, b, x) < p ? &low : &high) = x;
  }
  return (low + high) / 2;
}

void rate_interval(Rate rate, double *ret_low, double *ret_high) {
  const double hits = (double)rate.hits, misses = (double)(rate.of - rate.hits);
  *ret_low = rate.hits == 0 ? 0 : beta_quantile(hits, misses + 1, 0.025);
  *ret_high = rate.hits == rate.of ? 1 : beta_quantile(hits + 1, misses, 0.975);
}

double rate_student_upper(double t, double df) {
  const double tail = rate_incomplete_beta(df / 2, 0.5, df / (df + t * t)) / 2;
  return t > 0 ? tail : 1 - tail;
}

double rate_normal_upper(double z) {
  return erfc(z * G_SQRT2 / 2) / 2;
}
