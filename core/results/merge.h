/* SPDX-License-Identifier: MIT
 * One line per cell out of its rounds, and ratios between cells: what tables and exports show. Internal to results/.
 *
 * A process is one sample of code layout and placement, so processes (rounds) are the replicates. With 6 rounds or more
 * a cell's steady figure is the median over its rounds' medians, with the interval over rounds. With fewer it is the
 * median of all samples, and its interval is that of samples within one process: it does not cover the variation
 * from process to process, and is labelled so. */
#pragma once
#include "stats/summary.h"
#include "results/settings.h"

#define BH_MERGE_MIN_ROUNDS 6

typedef enum { BH_BASIS_NONE = 0, BH_BASIS_SAMPLES, BH_BASIS_ROUNDS } BhBasis; /* what an interval is over */
const char *bh_basis_name(BhBasis basis);                                      /* "rounds", "samples", NULL */

typedef struct {
  gboolean exists;
  double median, min, max, p95, cv; /* ns, ns, ns, ns, 1; all but the median over all samples */
  guint n;                          /* samples */
  BhBasis basis;                    /* NONE: no interval */
  double low, high;                 /* of the median, 95 % */
  const char *why;                  /* why there is no interval or no figure; static */
} BhFigure;

typedef struct {
  gboolean exists;
  double ratio;     /* base / this: above 1 is faster than the base. Basis rounds: median of the rounds' ratios */
  BhBasis basis;    /* NONE: no interval */
  double low, high; /* 95 % */
  const char *why;  /* why there is no ratio or no interval; static */
} BhRatio;

typedef struct BhMerged BhMerged;
struct BhMerged {
  const BhCellRecord *first; /* says what the cell is; not owned */
  const GPtrArray *rounds;   /* of BhCellRecord, ascending; not owned */
  BhCellStatus status;       /* the worst of all rounds: one wrong round and there is no figure */
  char *reason;              /* of that round; NULL for ok */
  guint rounds_ok;
  guint workers; /* 0: unknown */
  gboolean baseline;
  BhFigure steady, total;
  GArray *samples_ns; /* of double: all rounds' samples; empty unless ok */
  GArray *medians_ns; /* of double: one per round; empty unless ok */
  BhSettings settings;
  const char *stopped;      /* why it has so many rounds: bh_settings_stopped; NULL: not ok */
  BhFigure primary;         /* the primary figure over rounds, in primary_unit; steady for wall, total for total */
  const char *primary_unit; /* "ns", "bytes", "1/s", "": the records' */
  bh_better primary_better;
  double effective_n;   /* how many independent samples the rounds' are worth together; 0: not recorded */
  guint modes;          /* more than 1: half of the rounds' samples have several (the most of any), or the rounds'
                           medians have; 0: not recorded */
  GPtrArray *flags;     /* of char *: of all rounds, each once, sorted; about precision: of all rounds together;
                           `bimodal` and `autocorrelated`: of half of them at least */
  char *group;          /* equal for cells of the same workload and parameters */
  const BhMerged *base; /* the best serial cell of its group, or NULL */
  BhRatio speedup, total_speedup;
};

/* The 95 % interval of the median of `n` values, one a round of `cell`: the one that every table shows. Where rounds
 * end as soon as the primary figure is precise, it allows for having been looked at. FALSE: fewer than 6. */
gboolean bh_merge_interval(const BhMerged *cell, const double *values, guint n, double *ret_low, double *ret_high);
/* Of BhMerged, in the order for people (order.h). `results` must outlive it. */
GPtrArray *bh_merge_cells(const BhResults *results);
/* items, flops or bytes of one run per second at the steady median; FALSE: no model, no figure, or no time. */
gboolean bh_merge_rate(const BhMerged *cell, double per_run, double *ret_per_second);
/* Adds the keys by which exports and reports name a cell: id, label, workload, params, backend, options, variant,
 * workers. */
void bh_merge_put_identity(JsonObject *object, const BhMerged *cell);
