/* SPDX-License-Identifier: MIT
 * `benchhost analyze`: what parallelism bought, from a journal. The report is one JSON value
 * (schemas/analyze.schema.json); the text is drawn from it, so that both say the same. docs/parallel.md explains every
 * figure. */
#pragma once
#include "results/results.h"

typedef enum {
  BH_METRIC_SCALING = 1, /* speedup, efficiency, Karp-Flatt */
  BH_METRIC_USL = 2,
  BH_METRIC_METG = 4,
  BH_METRIC_CROSSOVER = 8,
  BH_METRIC_ROOFLINE = 16,
  BH_METRIC_ALL = 31,
} BhMetrics;

typedef struct {
  guint metrics;       /* BhMetrics, or'ed; 0: all */
  const char *over;    /* the swept parameter of METG and crossover; NULL: every numeric one with 3 values or more */
  const char *between; /* crossover: "A,B", two backends; NULL: the base against all others */
  const char *roofs;   /* roofline: only roofs whose label matches this glob; NULL: all */
} BhAnalyzeOptions;

/* "speedup", "usl", ...; FALSE: no such metric. */
gboolean bh_analyze_metric(const char *name, guint *ret);
extern const char *const bh_analyze_metric_names[]; /* NULL-terminated, for help */

/* The report. Errors: an option that names nothing in this journal. Caller owns it. */
JsonNode *bh_analyze(const BhResults *results, const BhAnalyzeOptions *options, GError **error);
/* For people. `width`: columns, 0: no limit. Caller frees. */
char *bh_analyze_text(JsonNode *report, guint width, gboolean ascii);
/* BH_EXIT_OK; BH_EXIT_INCONCLUSIVE: accounting errors, or nothing of what `options` asked for could be computed. */
int bh_analyze_exit_status(JsonNode *report, const BhAnalyzeOptions *options);
