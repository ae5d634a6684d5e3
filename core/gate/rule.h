/* SPDX-License-Identifier: MIT
 * The rule that decides: is the candidate worse than the base? Pure functions of paired differences; the simulations
 * and the calibration study (docs/calibration.md) run exactly this code.
 *
 * A pair is one visit of each arm, next to each other in one round; d = ln(candidate / base), turned so that above 0 is
 * always worse (a metric where more is better has its sign changed). Stage 1 screens all cells, stage 2 confirms the
 * suspects on fresh pairs. */
#pragma once
#include <glib.h>

typedef struct {
  guint screen_rounds;     /* 10 */
  guint confirm_rounds;    /* 30 */
  double screen_shift;     /* a cell whose Hodges-Lehmann shift is beyond this, either way, is a suspect: 0.01 */
  double margin;           /* delta: what counts as a regression, 0.02 = 2 % */
  double q;                /* false discovery rate over the suspects: 0.05 */
  double equivalence;      /* half width of the zone of equivalence: 0.05 */
  double equivalent_shift; /* and the estimate itself lies within this, either way: 0.015 */
} BhRule;

BhRule bh_rule_default(void);

typedef enum {
  BH_VERDICT_EQUIVALENT = 0,
  BH_VERDICT_IMPROVED,
  BH_VERDICT_INCONCLUSIVE,
  BH_VERDICT_REGRESSED,
} BhVerdict;
const char *bh_verdict_name(BhVerdict verdict); /* "equivalent", ... */

/* One cell's pairs, in time order. Values must be finite. */
typedef struct {
  const double *screen;
  guint n_screen;
  const double *confirm; /* n 0: was no suspect, or confirming was cut short; of others than suspects not looked at */
  guint n_confirm;
  /* ln of both arms' figures in all these pairs, turned as `d` is; n_figures 0: their shapes are not looked at. */
  const double *base, *candidate;
  guint n_figures;
} BhPairs;

/* How far the arms' figures are apart elsewhere than in their middle: ln(candidate / base) of quantiles, turned as `d`
 * is. 0: not looked at. */
typedef struct {
  double fast;         /* lower decile: what the machine repeats best */
  double lower, upper; /* quartiles */
} BhShape;

typedef struct {
  gboolean suspect; /* kept by the screen */
  BhVerdict verdict;
  double shift;     /* Hodges-Lehmann estimate of d from the stage that decided: 0.05 ~ 5 % slower */
  double low, high; /* its 95 % interval; has_interval FALSE: too few pairs */
  gboolean has_interval;
  double low90, high90;     /* its 90 % interval: equivalence is decided by this one (two one-sided tests) */
  double p_worse, p_better; /* exact one-sided signed-rank tests against +margin and -margin; 1: not tested */
  double p_adjusted;        /* p_worse after Benjamini-Hochberg over the suspects */
  double detectable;        /* smallest slowdown that this run could have found with 80 % power: 0.03 ~ 3 %; 0: none,
                             * or not known */
  guint n;                  /* pairs behind the figures */
  BhShape shape;            /* of all pairs, of both stages */
} BhDecision;

/* The arms' figures are spread alike, so that an equal middle means equal builds: the quartiles differ by no more than
 * the zone of equivalence, the lower deciles by no more than twice what the estimate may be off. */
gboolean bh_rule_alike(const BhRule *rule, const BhShape *shape);
gboolean bh_rule_suspects(const BhRule *rule, const double *d, guint n);
/* Decides all cells together, since the correction is over all. `ret`: n_cells decisions, the caller's. */
void bh_rule_decide(const BhRule *rule, const BhPairs *cells, guint n_cells, BhDecision *ret);
