/* SPDX-License-Identifier: MIT
 * A made-up machine to judge verdicts on: log times of two builds of `cells` benchmarks over `rounds` rounds, with what
 * shared machines do to them. The same world as the first sketches of the rule used (docs/calibration.md). */
#pragma once
#include <glib.h>

#define WORLD_CELLS 20
#define WORLD_ROUNDS 40 /* 10 for the screen, 30 for confirming */

typedef struct {
  const char *name, *about;
  gboolean bound; /* a setting that docs/calibration.md promises bounds for; the others show where the rule ends */
  double noise;   /* sd of a sample's log */
  double spike_share, spike_mean; /* some samples are longer by an exponential amount */
  double skew;                    /* sd of a lognormal addition, in place of symmetric noise; 0: none */
  double mode_share, mode_gap;    /* this share of processes is slower by the gap: a second mode */
  double drift_sd, drift_slots;   /* Ornstein-Uhlenbeck: stationary sd; time constant, in visits */
  double neighbour_step, neighbour_on, neighbour_off; /* added while on; chance per visit to come, to go */
  double base_share, base_gap; /* this share of the base's processes is slower, and none of the candidate's */
  double layout; /* sd of what the build alone does to a cell: constant within a run */
} World;

extern const World world_settings[];
extern const guint world_n_settings;

/* One run: log times [cell][round], cell WORLD_CELLS being the control (a copy of the base: no layout effect). */
typedef struct {
  double base[WORLD_CELLS + 1][WORLD_ROUNDS], candidate[WORLD_CELLS + 1][WORLD_ROUNDS];
  double stored[WORLD_CELLS][WORLD_ROUNDS]; /* the base, measured in an earlier session */
} WorldRun;

/* Cells 0 .. slower-1 are slower by `slowdown` (0.05: 5 %) in the candidate. Same arguments, same run. */
void world_run(const World *world, guint64 seed, double slowdown, guint slower, WorldRun *ret);
/* A seed of its own for run `index` of series `series`. */
guint64 world_seed(guint64 seed, guint64 series, guint64 index);
