/* SPDX-License-Identifier: MIT
 * simulate: how often core/gate/rule.c is wrong, on made-up machines, from a seed; and how often other tools' rules are
 * on the same samples. Prints a table (--json: one object) and exits 1 when a promised bound is broken. */
#include "base/json.h"
#include "gate/rule.h"
#include "peers.h"
#include "rate.h"
#include "world.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SEVERAL 3 /* real regressions at once, for the false discovery rate */

/* Slowdowns of the first cell (of the first three: EFFECT_SEVERAL). */
typedef enum { EFFECT_NONE = 0, EFFECT_3, EFFECT_5, EFFECT_10, EFFECT_SEVERAL, EFFECT_DETECTABLE, EFFECT_N } Effect;
static const char *const effect_names[EFFECT_N] = {"unchanged", "3 %", "5 %", "10 %", "three of 5 %", "detectable"};
static const guint rounds_of[2] = {10, WORLD_ROUNDS}; /* what peers see */

typedef struct {
  double slowdown;
  Rate runs_alarmed, cells_alarmed; /* false regressions, among unchanged cells */
  Rate control;                     /* the control was flagged, either way */
  Rate verdicts[4];                 /* of the slower cell; for EFFECT_NONE of all cells */
  Rate suspects;                    /* unchanged cells that were confirmed */
  double false_share;               /* sum over runs of false / all regressions found: its mean is the FDR */
  Rate peer_runs[2][PEER_N], peer_cells[2][PEER_N], peer_found[2][PEER_N];
  Rate stored_runs[2], stored_found[2]; /* our rule, the U test, against a stored baseline */
  GArray *detectable;                   /* EFFECT_NONE: of every cell */
} Outcome;

typedef struct {
  guint runs, threads;
  guint64 seed;
  gboolean json, peers, quick;
  const char *only;
  BhRule rule;
} Options;

typedef struct {
  const Options *options;
  const World *world;
  guint64 series;
  Effect effect;
  Outcome *outcome;
} Job;

static guint slower_cells(Effect effect) {
  return effect == EFFECT_NONE ? 0 : effect == EFFECT_SEVERAL ? SEVERAL : 1;
}

/* Pairs of all cells; only suspects are given their confirmation. `d`: [WORLD_CELLS + 1][WORLD_ROUNDS]. */
static void make_pairs(const BhRule *rule, const double (*base)[WORLD_ROUNDS], const double (*candidate)[WORLD_ROUNDS],
                       guint n_cells, double (*d)[WORLD_ROUNDS], BhPairs *ret) {
  for (guint cell = 0; cell < n_cells; cell++) {
    for (guint i = 0; i < WORLD_ROUNDS; i++)
      d[cell][i] = candidate[cell][i] - base[cell][i];
    ret[cell] = (BhPairs){.screen = d[cell], .n_screen = rule->screen_rounds, .confirm = d[cell] + rule->screen_rounds};
    if (bh_rule_suspects(rule, d[cell], rule->screen_rounds))
      ret[cell].n_confirm = rule->confirm_rounds;
  }
}

static void judge(const Job *job, const WorldRun *run) {
  Outcome *o = job->outcome;
  const guint slower = slower_cells(job->effect);
  const BhRule *rule = &job->options->rule;
  double d[WORLD_CELLS + 1][WORLD_ROUNDS];
  BhPairs pairs[WORLD_CELLS + 1];
  BhDecision decisions[WORLD_CELLS + 1];
  guint wrong = 0, found = 0;
  make_pairs(rule, run->base, run->candidate, WORLD_CELLS + 1, d, pairs);
  bh_rule_decide(rule, pairs, WORLD_CELLS, decisions);
  bh_rule_decide(rule, pairs + WORLD_CELLS, 1, decisions + WORLD_CELLS);
  for (guint cell = 0; cell < WORLD_CELLS; cell++) {
    const gboolean regressed = decisions[cell].verdict == BH_VERDICT_REGRESSED;
    found += regressed;
    if (cell >= slower) {
      wrong += regressed;
      rate_add(&o->cells_alarmed, regressed);
      rate_add(&o->suspects, decisions[cell].suspect);
    }
    if (cell < slower || slower == 0)
      for (guint v = 0; v < 4; v++)
        rate_add(&o->verdicts[v], decisions[cell].verdict == (BhVerdict)v);
    if (job->effect == EFFECT_NONE)
      g_array_append_val(o->detectable, decisions[cell].detectable);
  }
  const BhVerdict control = decisions[WORLD_CELLS].verdict;
  rate_add(&o->control, control == BH_VERDICT_REGRESSED || control == BH_VERDICT_IMPROVED);
  rate_add(&o->runs_alarmed, wrong > 0);
  o->false_share += found ? (double)wrong / found : 0;
}

/* Our rule on pairs that are none, and the U test, both with the base of an earlier session. */
static void judge_stored(const Job *job, const WorldRun *run, double (*base)[WORLD_ROUNDS],
                         double (*candidate)[WORLD_ROUNDS]) {
  Outcome *o = job->outcome;
  const guint slower = slower_cells(job->effect);
  double d[WORLD_CELLS + 1][WORLD_ROUNDS];
  BhPairs pairs[WORLD_CELLS + 1];
  BhDecision decisions[WORLD_CELLS + 1];
  gboolean any[2] = {FALSE, FALSE};
  make_pairs(&job->options->rule, run->stored, run->candidate, WORLD_CELLS, d, pairs);
  bh_rule_decide(&job->options->rule, pairs, WORLD_CELLS, decisions);
  for (guint cell = 0; cell < WORLD_CELLS; cell++) {
    for (guint i = 0; i < WORLD_ROUNDS; i++)
      base[cell][i] = exp(run->stored[cell][i]);
    const gboolean flags[2] = {decisions[cell].verdict == BH_VERDICT_REGRESSED,
                               peer_flags(PEER_U, base[cell], candidate[cell], WORLD_ROUNDS)};
    for (guint k = 0; k < 2; k++) {
      if (cell < slower)
        rate_add(&o->stored_found[k], flags[k]);
      any[k] |= cell >= slower && flags[k];
    }
  }
  for (guint k = 0; k < 2; k++)
    rate_add(&o->stored_runs[k], any[k]);
}

static void judge_peers(const Job *job, const WorldRun *run) {
  Outcome *o = job->outcome;
  const guint slower = slower_cells(job->effect);
  double base[WORLD_CELLS][WORLD_ROUNDS], candidate[WORLD_CELLS][WORLD_ROUNDS];
  for (guint cell = 0; cell < WORLD_CELLS; cell++)
    for (guint i = 0; i < WORLD_ROUNDS; i++) {
      base[cell][i] = exp(run->base[cell][i]);
      candidate[cell][i] = exp(run->candidate[cell][i]);
    }
  for (guint k = 0; k < 2; k++)
    for (Peer p = 0; p < PEER_N; p++) {
      gboolean any = FALSE;
      for (guint cell = 0; cell < WORLD_CELLS; cell++) {
        const gboolean flagged = peer_flags(p, base[cell], candidate[cell], rounds_of[k]);
        rate_add(cell < slower ? &o->peer_found[k][p] : &o->peer_cells[k][p], flagged);
        any |= cell >= slower && flagged;
      }
      rate_add(&o->peer_runs[k][p], any);
    }
  judge_stored(job, run, base, candidate);
}

static gpointer work(gpointer data) {
  const Job *job = data;
  g_autofree WorldRun *run = g_new(WorldRun, 1);
  for (guint i = 0; i < job->options->runs; i++) {
    world_run(job->world, world_seed(job->options->seed, job->series, i), job->outcome->slowdown,
              slower_cells(job->effect), run);
    judge(job, run);
    if (job->options->peers && job->effect <= EFFECT_10)
      judge_peers(job, run);
  }
  return NULL;
}
