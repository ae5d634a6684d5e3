/* SPDX-License-Identifier: MIT
 * Owns METG(50 %), the minimum effective task granularity (Slaughter et al., Task Bench, SC20): the smallest grain at
 * which a backend still works at half of the reference rate. The reference is one for all backends, the best rate at
 * the largest grain: a backend measured against itself would look efficient however slow it is. */
#include "parallel/formulas.h"
#include "parallel/sweep.h"
#include "base/json.h"

#include <math.h>
#include <string.h>

#define LEVEL 0.5
#define MOST_EFFICIENT 1.5 /* beyond is no noise: the work or the time is counted wrongly */

enum { GRAIN, TASK_NS, N_FIGURES };

typedef double (*WorkOf)(const BhCellRecord *record);

static double flops_of(const BhCellRecord *record) {
  return record->flops;
}

static double bytes_of(const BhCellRecord *record) {
  return record->bytes;
}

static double items_of(const BhCellRecord *record) {
  return record->items;
}

/* Every cell has it, and more of it for a larger grain: only then is it a measure of the work. */
static gboolean grows(const BhSweep *sweep, WorkOf work) {
  for (guint s = 0; s < sweep->series->len; s++) {
    const BhSeries *series = g_ptr_array_index(sweep->series, s);
    for (guint i = 0; i < series->cells->len; i++) {
      const BhMerged *cell = series->cells->pdata[i], *before = i ? series->cells->pdata[i - 1] : NULL;
      if (!(work(cell->first) > (before ? work(before->first) : 0)))
        return FALSE;
    }
  }
  return TRUE;
}

static WorkOf choose_work(const BhSweep *sweep, const char **ret_name) {
  static const struct {
    const char *name;
    WorkOf work;
  } kinds[] = {{"flops", flops_of}, {"bytes", bytes_of}, {"items", items_of}};
  for (guint i = 0; i < G_N_ELEMENTS(kinds); i++)
    if (grows(sweep, kinds[i].work)) {
      *ret_name = kinds[i].name;
      return kinds[i].work;
    }
  return NULL;
}

/* The best rate at the largest grain, of all backends. Chosen once, by medians: the best of each round would be too
 * high by what noise alone adds to the largest of several. */
static const BhMerged *choose_reference(const BhSweep *sweep, WorkOf work) {
  const BhMerged *best = NULL;
  for (guint s = 0; s < sweep->series->len; s++) {
    const BhSeries *series = g_ptr_array_index(sweep->series, s);
    const BhMerged *last = series->cells->pdata[series->cells->len - 1];
    if (series->x[series->cells->len - 1] == sweep->largest &&
        (!best || work(last->first) / last->steady.median > work(best->first) / best->steady.median))
      best = last;
  }
  return best;
}

/* One series against the reference. */
typedef struct {
  guint n;
  const double *x;
  double *work, *items, *efficiency; /* `efficiency` is room for one round */
  double reference_work, workers;
} Grains;

/* `ns`: the reference, then the series' cells. */
static void efficiencies(const double *ns, double *ret, gconstpointer user) {
  const Grains *g = user;
  for (guint i = 0; i < g->n; i++)
    ret[i] = g->work[i] / ns[i + 1] / (g->reference_work / ns[0]);
}

static guint rising(const Grains *g, const double *y, double *ret_first) {
  g_autofree double *at = g_new(double, g->n);
  const guint n = bh_formula_crossings(g->x, y, g->n, LEVEL, at);
  const guint first = y[0] < LEVEL ? 0 : 1; /* crossings alternate */
  *ret_first = first < n ? at[first] : y[0] < LEVEL ? INFINITY : -INFINITY;
  return n;
}

static void formula(const double *ns, double *ret, gconstpointer user) {
  const Grains *g = user;
  efficiencies(ns, g->efficiency, user);
  rising(g, g->efficiency, &ret[GRAIN]);
  ret[TASK_NS] = ret[GRAIN];
  if (!isfinite(ret[GRAIN]))
    return;
  /* At the crossing the rate is half of the reference's, by definition. */
  const double work = bh_formula_between(g->x, g->work, g->n, ret[GRAIN]);
  const double items = bh_formula_between(g->x, g->items, g->n, ret[GRAIN]);
  ret[TASK_NS] = items > 0 ? work / (LEVEL * g->reference_work / ns[0]) * g->workers / items : NAN;
}

static const char *refusal(const BhAnalysis *analysis, const BhSweep *sweep, const BhSeries *series,
                           const BhEstimate *points) {
  gboolean below = FALSE, above = FALSE;
  for (guint i = 0; i < series->cells->len; i++) {
    below |= points[i].value < LEVEL;
    above |= points[i].value >= LEVEL;
    if (points[i].value > MOST_EFFICIENT) {
      bh_model_error(
          analysis,
          "METG of %s, %s: efficiency %.2f at %s=%g is above 1.5: its cost model counts other work than the "
          "reference's, the largest %s is too small for full speed, or other programs took the cores from the "
          "longest runs",
          sweep->title, series->side, points[i].value, sweep->param, series->x[i], sweep->param);
      return "accounting error: an efficiency above 1.5";
    }
  }
  if (!below)
    return "not bracketed: no grain is small enough to fall below 50 %";
  return above ? NULL : "not bracketed: 50 % of the reference rate is never reached";
}

static void put_figures(JsonObject *object, const BhAnalysis *analysis, const BhSweep *sweep, const BhSeries *series,
                        const BhTimes *times, Grains *g) {
  BhEstimate figures[N_FIGURES];
  g_autofree BhEstimate *points = g_new(BhEstimate, g->n);
  g_autofree double *y = g_new(double, g->n);
  JsonArray *list = json_array_new();
  double first;
  bh_times_estimate(times, efficiencies, g, g->n, points);
  bh_times_estimate(times, formula, g, N_FIGURES, figures);
  for (guint i = 0; i < g->n; i++) {
    JsonObject *point = json_object_new();
    json_object_set_double_member(point, "x", series->x[i]);
    bh_model_put(point, "efficiency", &points[i]);
    json_array_add_object_element(list, point);
    y[i] = points[i].value;
  }
  const char *why = refusal(analysis, sweep, series, points);
  for (guint k = 0; why && k < N_FIGURES; k++)
    figures[k] = bh_estimate_none(why);
  bh_model_put(object, "grain", &figures[GRAIN]);
  bh_model_put(object, "task_ns", &figures[TASK_NS]);
  json_object_set_int_member(object, "crossings", rising(g, y, &first));
  json_object_set_array_member(object, "points", list);
}

static void put_none(JsonObject *object, const char *why) {
  const BhEstimate none = bh_estimate_none(why);
  bh_model_put(object, "grain", &none);
  bh_model_put(object, "task_ns", &none);
  json_object_set_int_member(object, "crossings", 0);
  json_object_set_array_member(object, "points", json_array_new());
}

static JsonObject *series_object(const BhAnalysis *analysis, const BhSweep *sweep, const BhSeries *series,
                                 const BhMerged *reference, WorkOf work) {
  const guint n = series->cells->len;
  const BhMerged *first = series->cells->pdata[0];
  g_autofree double *works = g_new(double, n), *items = g_new(double, n), *room = g_new(double, n);
  Grains g = {n, series->x, works, items, room, work(reference->first), MAX(first->workers, 1)};
  g_autoptr(GPtrArray) cells = g_ptr_array_new();
  g_ptr_array_add(cells, (gpointer)reference);
  for (guint i = 0; i < n; i++) {
    const BhMerged *cell = series->cells->pdata[i];
    g_ptr_array_add(cells, (gpointer)cell);
    works[i] = work(cell->first);
    items[i] = cell->first->items;
  }
  JsonObject *object = json_object_new();
  json_object_set_string_member(object, "side", series->side);
  bh_json_put_number(object, "workers", first->workers > 0, first->workers);
  const char *why = NULL;
  g_autoptr(BhTimes) times = bh_times_new(cells, BH_TIME_STEADY, &why);
  if (times)
    put_figures(object, analysis, sweep, series, times, &g);
  else
    put_none(object, why);
  return object;
}

static void rate_of(const double *ns, double *ret, gconstpointer user) {
  *ret = *(const double *)user / (*ns * 1e-9);
}

static JsonObject *sweep_object(const BhAnalysis *analysis, const BhSweep *sweep) {
  JsonObject *object = json_object_new();
  JsonArray *list = json_array_new();
  const char *name = NULL, *why = NULL;
  WorkOf work = sweep->series->len ? choose_work(sweep, &name) : NULL;
  const BhMerged *best = work ? choose_reference(sweep, work) : NULL;
  bh_sweep_put(object, sweep);
  bh_json_put_text(object, "work", name);
  bh_json_put_text(object, "reason",
                   !sweep->series->len ? "no verified series"
                   : !work ? "the cost model has no work (flops, bytes, items) that grows with this parameter"
                           : NULL);
  if (best) {
    JsonObject *reference = json_object_new();
    g_autoptr(GPtrArray) one = g_ptr_array_new();
    g_ptr_array_add(one, (gpointer)best);
    g_autoptr(BhTimes) times = bh_times_new(one, BH_TIME_STEADY, &why);
    const double per_run = work(best->first);
    BhEstimate rate = bh_estimate_none(why);
    if (times)
      bh_times_estimate(times, rate_of, &per_run, 1, &rate);
    bh_merge_put_identity(reference, best);
    bh_model_put(reference, "rate_per_s", &rate);
    json_object_set_object_member(object, "reference", reference);
    for (guint s = 0; s < sweep->series->len; s++)
      json_array_add_object_element(list,
                                    series_object(analysis, sweep, g_ptr_array_index(sweep->series, s), best, work));
  } else {
    json_object_set_null_member(object, "reference");
  }
  json_object_set_array_member(object, "series", list);
  return object;
}

JsonObject *bh_metg(const BhAnalysis *analysis) {
  JsonArray *list = json_array_new();
  g_autoptr(GPtrArray) sweeps = bh_sweep_all(analysis);
  for (guint i = 0; i < sweeps->len; i++)
    json_array_add_object_element(list, sweep_object(analysis, g_ptr_array_index(sweeps, i)));
  return bh_model_section("sweeps", list, BH_SWEEP_NONE);
}
