/* SPDX-License-Identifier: MIT
 * A history for people and programs: its runs, one cell over time, where it changed (advisory), and exports. */
#pragma once
#include "history/store.h"

typedef struct {
  double alpha;       /* 0.05 */
  guint permutations; /* 999 */
  guint64 seed;       /* 42 */
} BhTimelineTest;
BhTimelineTest bh_timeline_test_default(void);

/* One change point of one series. */
typedef struct {
  const BhStoreSeries *series;
  const BhStorePoint *before, *after; /* the last run before, the first after */
  double from, to;                    /* medians of the stretches before and after, up to the next change points */
  guint n_before, n_after;            /* their runs */
  double p;                           /* permutation test: (k + 1) / (N + 1) */
} BhTimelineChange;

/* How many runs a series must have for a change to be found at this level; fewer are not tested. */
guint bh_timeline_least(double alpha);
/* Of BhTimelineChange, in the series' order; `history` must outlive it. `ret_tested`: series that were long enough. */
GPtrArray *bh_timeline_changes(const BhStoreHistory *history, const BhTimelineTest *test, guint *ret_tested);

typedef struct {
  guint width; /* columns; 0: no limit */
  gboolean color, ascii;
} BhTimelineLook;
char *bh_timeline_runs_text(const GPtrArray *runs, const BhTimelineLook *look);
char *bh_timeline_series_text(const BhStoreHistory *history, const BhTimelineLook *look);
char *bh_timeline_changes_text(const GPtrArray *changes, guint tested, const BhTimelineTest *test,
                               const BhTimelineLook *look);
char *bh_timeline_changes_json(const GPtrArray *changes, guint tested, const BhTimelineTest *test);
/* One row per run and cell; a list of runs with their cells (schemas/history.schema.json, as the changes'). */
char *bh_timeline_csv(const BhStoreHistory *history);
char *bh_timeline_json(const BhStoreHistory *history);
