/* SPDX-License-Identifier: MIT
 * Owns the rule that decides: the screen, the confirmation, the correction over the suspects, equivalence, and the
 * smallest change that a cell's own noise lets the whole procedure find. Pure functions of paired differences: the
 * simulations and the study behind docs/calibration.md run this code and no copy of it. */
#include "gate/rule.h"

#include "stats/rank.h"
#include "stats/summary.h"

#include <math.h>
#include <string.h>

#define Z_95 1.6448536269514722 /* quantile .95 of the normal distribution */
#define POWER 0.8               /* of `detectable` */
#define FAST_QUANTILE 0.1       /* the end of a build's times that noise, which only adds, touches least */
#define FAST_SHARE 2            /* of equivalent_shift: how far apart two equivalent builds' fast ends may be */

BhRule bh_rule_default(void) {
  return (BhRule){.screen_rounds = 10,
                  .confirm_rounds = 30,
                  .screen_shift = 0.01,
                  .margin = 0.02,
                  .q = 0.05,
                  .equivalence = 0.05,
                  .equivalent_shift = 0.015};
}

const char *bh_verdict_name(BhVerdict verdict) {
  static const char *const names[] = {"equivalent", "improved", "inconclusive", "regressed"};
  g_return_val_if_fail((guint)verdict < G_N_ELEMENTS(names), "?");
  return names[verdict];
}

gboolean bh_rule_suspects(const BhRule *rule, const double *d, guint n) {
  return n > 0 && fabs(bh_stats_hodges_lehmann(d, n)) > log1p(rule->screen_shift);
}

/* P(Z <= z). */
static double normal(double z) {
  return erfc(-z * G_SQRT2 / 2) / 2;
}

/* z with P(Z > z) = p, 0 < p < 1, by bisection: exact enough, and called once a cell. */
static double normal_upper(double p) {
  double low = -40, high = 40;
  for (guint i = 0; i < 100; i++) {
    const double z = (low + high) / 2;
    *(normal(-z) > p ? &low : &high) = z;
  }
  return low;
}

/* Standard error of the Hodges-Lehmann estimate after `rounds` pairs, from the 90 % interval of the stage that decided:
 * about 1.645 standard errors to each side, for any shape of noise. */
static double error_after(const BhDecision *decision, guint rounds) {
  const double error = (decision->high90 - decision->low90) / 2 / Z_95;
  return error * sqrt((double)decision->n / rounds);
}

/* Probability that a cell whose true log shift is `shift` is kept by the screen and then called regressed. */
static double power_at(const BhRule *rule, double shift, double screen_error, double confirm_error, double z) {
  const double kept = (shift - log1p(rule->screen_shift)) / screen_error;
  const double found = (shift - log1p(rule->margin)) / confirm_error;
  return normal(kept) * normal(found - z);
}

/* The smallest slowdown found with 80 % power by confirming in so many rounds; 0: none could be found. `family`: tests
 * that the correction is over, this cell's included; a single regression among them must reach q / family. Tested
 * against simulation (docs/calibration.md). */
static double detectable(const BhRule *rule, const BhDecision *decision, guint confirm_rounds, guint family) {
  const double level = rule->q / MAX(family, 1);
  /* The least p that the exact test has is 2^-rounds: with too few of them no change is large enough. */
  if (rule->screen_rounds == 0 || confirm_rounds == 0 || ldexp(1, -(int)confirm_rounds) > level)
    return 0;
  const double screen_error = error_after(decision, rule->screen_rounds);
  const double confirm_error = error_after(decision, confirm_rounds);
  const double z = normal_upper(level);
  double low = log1p(rule->margin), high = low + 12 * (screen_error + confirm_error);
  if (!(screen_error > 0 && confirm_error > 0)) /* no noise at all: just beyond what both stages ask for */
    return MAX(rule->margin, rule->screen_shift);
  high += log1p(rule->screen_shift);
  for (guint i = 0; i < 60; i++) {
    const double shift = (low + high) / 2;
    *(power_at(rule, shift, screen_error, confirm_error, z) < POWER ? &low : &high) = shift;
  }
  return expm1(high);
}

/* What one stage's pairs say about the shift. */
static void estimate(const double *d, guint n, BhDecision *ret) {
  ret->n = n;
  if (n == 0)
    return;
  ret->shift = bh_stats_hodges_lehmann(d, n);
  ret->low = ret->high = ret->low90 = ret->high90 = ret->shift;
  ret->has_interval = bh_stats_hodges_lehmann_interval(d, n, 0.95, &ret->low, &ret->high);
  if (!bh_stats_hodges_lehmann_interval(d, n, 0.90, &ret->low90, &ret->high90))
    ret->has_interval = FALSE;
}

static void test(const BhRule *rule, const double *d, guint n, BhDecision *ret) {
  g_autofree double *mirrored = g_new(double, n);
  for (guint i = 0; i < n; i++)
    mirrored[i] = -d[i];
  ret->p_worse = bh_stats_signed_rank_p(d, n, log1p(rule->margin));
  ret->p_better = bh_stats_signed_rank_p(mirrored, n, log1p(rule->margin));
}

/* Two one-sided tests at 5 % each: the 90 % interval lies in the zone. That alone would call up to one in 20 cells that
 * really are 5 % slower equivalent; so the estimate must lie near 0 as well (docs/calibration.md has the figures). */
static gboolean equivalent(const BhRule *rule, const BhDecision *d) {
  const double zone = log1p(rule->equivalence);
  return d->has_interval && d->low90 > -zone && d->high90 < zone && fabs(d->shift) <= log1p(rule->equivalent_shift);
}

gboolean bh_rule_alike(const BhRule *rule, const BhShape *shape) {
  const double zone = log1p(rule->equivalence);
  return fabs(shape->fast) <= log1p(FAST_SHARE * rule->equivalent_shift) && fabs(shape->lower) <= zone &&
         fabs(shape->upper) <= zone;
}

static double apart(const BhPairs *pairs, double quantile) {
  return bh_stats_quantile(pairs->candidate, pairs->n_figures, quantile) -
         bh_stats_quantile(pairs->base, pairs->n_figures, quantile);
}

/* A build with two speeds and one with a single speed between them agree in the middle and nowhere else. That is no
 * equality, and the middle says nothing about the source that differs (docs/calibration.md has such cells). */
static BhShape shape_of(const BhPairs *pairs) {
  if (pairs->n_figures == 0)
    return (BhShape){0};
  return (BhShape){apart(pairs, FAST_QUANTILE), apart(pairs, 0.25), apart(pairs, 0.75)};
}

static BhVerdict verdict(const BhRule *rule, const BhDecision *d, double p_better_adjusted, gboolean tested) {
  const double margin = log1p(rule->margin);
  if (d->suspect && !tested)
    return BH_VERDICT_INCONCLUSIVE;
  if (tested && d->p_adjusted <= rule->q && d->shift >= margin)
    return BH_VERDICT_REGRESSED;
  if (tested && p_better_adjusted <= rule->q && d->shift <= -margin)
    return BH_VERDICT_IMPROVED;
  return equivalent(rule, d) && bh_rule_alike(rule, &d->shape) ? BH_VERDICT_EQUIVALENT : BH_VERDICT_INCONCLUSIVE;
}

void bh_rule_decide(const BhRule *rule, const BhPairs *cells, guint n_cells, BhDecision *ret) {
  /* Of the suspects, those without any fresh pair included: they show nothing, but the correction is over all. */
  g_autofree double *worse = g_new(double, n_cells + 1), *better = g_new(double, n_cells + 1);
  guint family = 0, at = 0;
  for (guint i = 0; i < n_cells; i++) {
    const BhPairs *c = &cells[i];
    ret[i] = (BhDecision){
        .suspect = bh_rule_suspects(rule, c->screen, c->n_screen), .p_worse = 1, .p_better = 1, .p_adjusted = 1};
    const gboolean fresh = ret[i].suspect && c->n_confirm > 0;
    estimate(fresh ? c->confirm : c->screen, fresh ? c->n_confirm : c->n_screen, &ret[i]);
    ret[i].shape = shape_of(c);
    if (fresh)
      test(rule, c->confirm, c->n_confirm, &ret[i]);
    if (ret[i].suspect) {
      worse[family] = ret[i].p_worse;
      better[family++] = ret[i].p_better;
    }
  }
  bh_stats_benjamini_hochberg(worse, family, worse);
  bh_stats_benjamini_hochberg(better, family, better);
  for (guint i = 0; i < n_cells; i++) {
    const gboolean suspect = ret[i].suspect, tested = suspect && cells[i].n_confirm > 0;
    if (suspect)
      ret[i].p_adjusted = worse[at];
    ret[i].verdict = verdict(rule, &ret[i], suspect ? better[at] : 1, tested);
    if (ret[i].has_interval)
      ret[i].detectable =
          detectable(rule, &ret[i], suspect ? cells[i].n_confirm : rule->confirm_rounds, suspect ? family : family + 1);
    at += suspect;
  }
}
