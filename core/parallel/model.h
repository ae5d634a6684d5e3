/* SPDX-License-Identifier: MIT
 * What the metrics share: cells sorted into families, and how figures are written into the report. Internal to
 * parallel/. */
#pragma once
#include "parallel/analyze.h"
#include "parallel/estimate.h"

typedef struct {
  const BhResults *results;
  const BhAnalyzeOptions *options;
  GPtrArray *cells;  /* of BhMerged, in the order for people */
  guint cores;       /* that the run's processes may use; 0: the journal does not say */
  JsonArray *errors; /* of text: accounting errors; not owned */
} BhAnalysis;

/* Cells of one family differ in nothing but their number of workers (`workers`) or one parameter of the workload
 * (`param`, NULL: none); of a comparison's journal, they are of one arm. Caller frees. */
char *bh_family_key(const BhMerged *cell, const char *param, gboolean workers);
/* (key, GPtrArray of BhMerged) in order of first appearance: an array of GPtrArray, owned. `select`: which cells. */
typedef char *(*BhKeyFunction)(const BhMerged *cell, gconstpointer user); /* NULL: leave out */
GPtrArray *bh_family_split(const GPtrArray *cells, BhKeyFunction key, gconstpointer user);

/* The label's two sides for people: "prime cost=equal" without `param`, "pthread schedule=static" without `workers`. */
char *bh_family_work(const BhMerged *cell, const char *param);
char *bh_family_side(const BhMerged *cell, gboolean workers);
/* The value of a numeric parameter; FALSE: missing, or no number. */
gboolean bh_family_number(const BhMerged *cell, const char *param, double *ret);
gboolean bh_family_flagged(const BhMerged *cell, const char *flag);
/* The text of a fact that the cell's plugins stated, or NULL. */
const char *bh_family_fact(const BhMerged *cell, const char *name);

/* {"value", "reason", "ci", "ci_reason", "rounds"} */
void bh_model_put(JsonObject *object, const char *key, const BhEstimate *estimate);
void bh_model_error(const BhAnalysis *analysis, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* {"reason": ...} beside an empty list under `key`. */
JsonObject *bh_model_section(const char *key, JsonArray *list, const char *reason_if_empty);

/* One section each. */
JsonObject *bh_scaling(const BhAnalysis *analysis);
JsonObject *bh_usl(const BhAnalysis *analysis);
JsonObject *bh_metg(const BhAnalysis *analysis);
JsonObject *bh_crossover(const BhAnalysis *analysis, GError **error);
JsonObject *bh_roofline(const BhAnalysis *analysis, GError **error);
