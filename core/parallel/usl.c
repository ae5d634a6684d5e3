/* SPDX-License-Identifier: MIT
 * Owns the fit of the Universal Scalability Law to a backend's times over its numbers of workers. */
#include "parallel/formulas.h"
#include "parallel/model.h"
#include "base/json.h"

#include <math.h>

#define LEAST_COUNTS 6
#define MOST_COUNTS 64

enum { LAMBDA, ALPHA, BETA, PEAK, RMS, N_FIGURES };
static const char *const names[] = {"lambda", "alpha", "beta", "peak_workers", "rms_residual"};

typedef struct {
  double workers[MOST_COUNTS];
  guint n;
} Points;

static gboolean fit(const Points *points, const double *ns, BhUsl *ret, double *ret_residuals) {
  double seconds[MOST_COUNTS];
  for (guint i = 0; i < points->n; i++)
    seconds[i] = ns[i] * 1e-9;
  return bh_formula_usl(points->workers, seconds, points->n, ret, ret_residuals);
}

static void formula(const double *ns, double *ret, gconstpointer user) {
  const Points *points = user;
  BhUsl usl;
  double residuals[MOST_COUNTS], squares = 0;
  for (guint k = 0; k < N_FIGURES; k++)
    ret[k] = NAN;
  if (!fit(points, ns, &usl, residuals))
    return;
  for (guint i = 0; i < points->n; i++)
    squares += residuals[i] * residuals[i];
  const double peak = bh_formula_usl_peak(&usl);
  ret[LAMBDA] = usl.lambda;
  ret[ALPHA] = usl.alpha;
  ret[BETA] = usl.beta;
  ret[PEAK] = peak <= 2 * points->workers[points->n - 1] ? peak : INFINITY; /* no extrapolation beyond */
  ret[RMS] = sqrt(squares / points->n);
}

static gint by_workers(gconstpointer a, gconstpointer b) {
  const BhMerged *x = *(const BhMerged *const *)a, *y = *(const BhMerged *const *)b;
  return (x->workers > y->workers) - (x->workers < y->workers);
}

/* The verified cells, ascending, one for each number of workers. */
static GPtrArray *counts_of(const GPtrArray *family) {
  GPtrArray *cells = g_ptr_array_new();
  for (guint i = 0; i < family->len; i++) {
    const BhMerged *cell = g_ptr_array_index(family, i);
    if (cell->workers > 0 && cell->steady.exists)
      g_ptr_array_add(cells, (gpointer)cell);
  }
  g_ptr_array_sort(cells, by_workers);
  for (guint i = 1; i < cells->len;) {
    const BhMerged *before = cells->pdata[i - 1], *cell = cells->pdata[i];
    if (before->workers == cell->workers)
      g_ptr_array_remove_index(cells, i);
    else
      i++;
  }
  return cells;
}

/* What is said of the coefficients themselves; none is hidden or set to 0. */
static void add_flags(JsonObject *object, const BhAnalysis *analysis, const GPtrArray *cells,
                      const BhEstimate *figures) {
  JsonArray *flags = json_array_new();
  gboolean crowded = FALSE;
  if (figures && figures[ALPHA].exists && figures[ALPHA].value < 0)
    json_array_add_string_element(flags, "alpha is negative: faster than linear at first, or an unfit model");
  if (figures && figures[BETA].exists && figures[BETA].value < 0)
    json_array_add_string_element(flags, "beta is negative: throughput never falls in this fit, or an unfit model");
  if (figures && figures[ALPHA].exists && figures[ALPHA].value >= 1)
    json_array_add_string_element(flags, "alpha is 1 or more: more workers never help");
  for (guint i = 0; i < cells->len; i++)
    crowded |= bh_family_flagged(cells->pdata[i], "oversubscribed");
  if (crowded)
    json_array_add_string_element(flags,
                                  "some counts have more workers than cores: alpha and beta then measure the lack "
                                  "of cores too");
  else if (cells->len && analysis->cores && ((const BhMerged *)cells->pdata[cells->len - 1])->workers > analysis->cores)
    json_array_add_string_element(flags, "more workers than cores, which mostly wait");
  json_object_set_array_member(object, "flags", flags);
}

/* The median over rounds of each point's residual. */
static void add_residuals(JsonObject *object, const BhTimes *times, const Points *points) {
  JsonArray *list = json_array_new();
  const guint rounds = times->rounds >= BH_MERGE_MIN_ROUNDS ? times->rounds : 1;
  const double *rows = times->rounds >= BH_MERGE_MIN_ROUNDS ? times->ns : times->pooled;
  g_autofree double *all = g_new(double, (gsize)points->n *rounds);
  guint good = 0;
  for (guint r = 0; r < rounds; r++) {
    BhUsl usl;
    double residuals[MOST_COUNTS];
    if (!fit(points, rows + (gsize)r * times->cells, &usl, residuals))
      continue;
    for (guint i = 0; i < points->n; i++)
      all[(gsize)i * rounds + good] = residuals[i];
    good++;
  }
  for (guint i = 0; good && i < points->n; i++) {
    JsonObject *one = json_object_new();
    json_object_set_int_member(one, "workers", (gint64)points->workers[i]);
    json_object_set_double_member(one, "relative", bh_stats_median(all + (gsize)i * rounds, good));
    json_array_add_object_element(list, one);
  }
  json_object_set_array_member(object, "residuals", list);
}

static void add_fit(JsonObject *object, const BhAnalysis *analysis, const GPtrArray *cells) {
  BhEstimate figures[N_FIGURES];
  Points points = {.n = cells->len};
  const char *why = NULL;
  for (guint i = 0; i < cells->len; i++)
    points.workers[i] = ((const BhMerged *)cells->pdata[i])->workers;
  g_autoptr(BhTimes) times = bh_times_new(cells, BH_TIME_STEADY, &why);
  if (times)
    bh_times_estimate(times, formula, &points, N_FIGURES, figures);
  for (guint k = 0; k < N_FIGURES; k++) {
    if (!times)
      figures[k] = bh_estimate_none(why);
    else if (!figures[k].exists && !figures[k].beyond)
      figures[k] =
          bh_estimate_none("the fit gives one worker no positive rate: measure smaller numbers of workers too");
    if (k == PEAK && figures[k].beyond)
      figures[k].why = "no peak within twice the largest number of workers, and no extrapolation beyond";
    bh_model_put(object, names[k], &figures[k]);
  }
  add_flags(object, analysis, cells, figures);
  if (times)
    add_residuals(object, times, &points);
  else
    json_object_set_array_member(object, "residuals", json_array_new());
}

static void add_refusal(JsonObject *object, const BhAnalysis *analysis, const GPtrArray *cells, const char *why) {
  const BhEstimate none = bh_estimate_none(why);
  for (guint k = 0; k < N_FIGURES; k++)
    bh_model_put(object, names[k], &none);
  add_flags(object, analysis, cells, NULL);
  json_object_set_array_member(object, "residuals", json_array_new());
}

static JsonObject *family_object(const BhAnalysis *analysis, const GPtrArray *family) {
  const BhMerged *first = g_ptr_array_index(family, 0);
  g_autoptr(GPtrArray) cells = counts_of(family);
  JsonObject *object = json_object_new();
  JsonArray *counts = json_array_new();
  g_autofree char *title = bh_family_work(first, NULL), *side = bh_family_side(first, TRUE);
  json_object_set_string_member(object, "title", title);
  json_object_set_string_member(object, "side", side);
  json_object_set_string_member(object, "workload", first->first->workload);
  json_object_set_object_member(object, "params", json_object_ref(first->first->params));
  json_object_set_string_member(object, "backend", first->first->backend);
  json_object_set_string_member(object, "variant", first->first->variant);
  for (guint i = 0; i < cells->len; i++)
    json_array_add_int_element(counts, ((const BhMerged *)cells->pdata[i])->workers);
  json_object_set_array_member(object, "workers", counts);
  if (cells->len < LEAST_COUNTS)
    add_refusal(object, analysis, cells, "fewer than 6 numbers of workers: three coefficients would fit anything");
  else if (cells->len > MOST_COUNTS)
    add_refusal(object, analysis, cells, "more than 64 numbers of workers");
  else
    add_fit(object, analysis, cells);
  return object;
}

static char *family_key(const BhMerged *cell, gconstpointer user) {
  (void)user;
  return bh_family_key(cell, NULL, TRUE);
}

JsonObject *bh_usl(const BhAnalysis *analysis) {
  JsonArray *fits = json_array_new();
  g_autoptr(GPtrArray) families = bh_family_split(analysis->cells, family_key, NULL);
  for (guint i = 0; i < families->len; i++) {
    const GPtrArray *family = g_ptr_array_index(families, i);
    if (family->len >= 2)
      json_array_add_object_element(fits, family_object(analysis, family));
  }
  return bh_model_section("fits", fits, "no backend ran with several numbers of workers");
}
