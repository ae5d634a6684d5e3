/* SPDX-License-Identifier: MIT
 * Sweeps: cells of one workload that differ in one numeric parameter, as one series for each backend and its options.
 * What METG and crossover are computed from. Internal to parallel/. */
#pragma once
#include "parallel/model.h"

typedef struct {
  char *side;       /* "pthread workers=2 schedule=static", for people */
  GPtrArray *cells; /* of BhMerged: verified, ascending in the parameter, each value once */
  double *x;        /* the parameter's values, positive */
} BhSeries;

typedef struct {
  const char *param; /* a name inside a cell's record */
  char *title;       /* "prime cost=equal": the work without the parameter */
  const char *workload;
  GPtrArray *series; /* of BhSeries with 2 values or more */
  double largest;    /* of all series' values */
} BhSweep;

/* An array of BhSweep: over analysis->options->over, or over each numeric parameter with 3 values or more. */
GPtrArray *bh_sweep_all(const BhAnalysis *analysis);
#define BH_SWEEP_NONE "no numeric parameter of a workload has 3 values or more (--over NAME takes 2)"
/* "title", "workload", "over" */
void bh_sweep_put(JsonObject *object, const BhSweep *sweep);
