/* SPDX-License-Identifier: MIT
 * Stored runs side by side, each against the first: for reading trends, not a gate. Cells are matched by their
 * identity; what has no partner is listed, with what comes near. */
#pragma once
#include "history/stored.h"

/* What a ratio and its interval say. Never "regressed": stored runs cannot carry such a verdict. */
typedef enum {
  BH_READING_NONE = 0, /* no figure on one side */
  BH_READING_UNCLEAR,  /* the interval covers 1, or there is none */
  BH_READING_FASTER,   /* times */
  BH_READING_SLOWER,
  BH_READING_BETTER, /* other figures */
  BH_READING_WORSE,
} BhReading;
const char *bh_reading_name(BhReading reading); /* "no figure", "unclear", "faster", ... */

/* One run's side of a cell. */
typedef struct {
  const BhStoredCell *cell; /* the run's; NULL: it has no such cell */
  gboolean exists;          /* the ratio does; never for the first run */
  double ratio;             /* this run / the first run, whichever way the figure is better */
  BhBasis basis; /* ROUNDS: two samples of rounds; SAMPLES: two medians, of which one is of fewer rounds; no interval */
  gboolean has_interval;
  double low, high; /* 95 % */
  const char *why;  /* why there is no ratio or no interval; static */
  BhReading reading;
} BhCompareSide;

typedef struct {
  const BhStoredCell *cell; /* of the first run that has it: says what it is */
  BhCompareSide *sides;     /* one per run */
  gboolean beyond;          /* the last run's ratio: its interval lies wholly beyond the threshold, on the worse side */
} BhCompareCell;

typedef struct {
  const BhStoredCell *cell; /* of the other side, without a partner either */
  char *name;               /* what differs; NULL: nothing that the journals show */
  char *own, *other;        /* its values; NULL: not there */
} BhCompareNear;

typedef struct {
  const BhStoredCell *cell;
  guint run;       /* the first that has it; 0: it is missing in all others (removed), else added */
  GPtrArray *near; /* of BhCompareNear; at most 3 */
} BhCompareLonely;

typedef enum { BH_SORT_MATRIX = 0, BH_SORT_RATIO, BH_SORT_LABEL } BhCompareSort;

typedef struct {
  const GPtrArray *runs;    /* of BhStored; not owned */
  GPtrArray *cells;         /* of BhCompareCell: in the first run and at least one other */
  GPtrArray *lonely;        /* of BhCompareLonely, removed first */
  GPtrArray *differences;   /* per run but the first: of GPtrArray of BhDiffers (machine.h) */
  double threshold;         /* 0: none; 0.1: 10 % */
  guint beyond;             /* cells */
  guint matched, unmatched; /* before the filters: cells of the first run, and lonely ones */
} BhCompare;

typedef struct {
  const char *const *filters; /* globs over labels, KEY=VALUE[,VALUE]; NULL: all */
  BhCompareSort sort;
  double threshold;
} BhCompareOptions;

/* `runs`: of BhStored, at least two; must outlive the result. NULL with `error`: a filter that matches nothing. */
BhCompare *bh_compare_new(const GPtrArray *runs, const BhCompareOptions *options, GError **error);
void bh_compare_free(BhCompare *compare);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhCompare, bh_compare_free)

/* Of the last run that has the cell: what a row as a whole reads. NULL: no run but the first has it. */
const BhCompareSide *bh_compare_last(const BhCompare *compare, const BhCompareCell *cell);
/* "rising", "falling", "mixed" over the runs' medians, of three runs or more with a figure; NULL: fewer. */
const char *bh_compare_trend(const BhCompare *compare, const BhCompareCell *cell);

/* What every output says first. */
extern const char bh_compare_warning[];
char *bh_compare_table(const BhCompare *compare, gboolean color, guint width, gboolean ascii);
char *bh_compare_markdown(const BhCompare *compare);
char *bh_compare_json(const BhCompare *compare); /* schemas/compare.schema.json */
/* "12 cells in both: 1 slower, 2 faster, 9 unclear". Caller frees. */
char *bh_compare_counts(const BhCompare *compare);
