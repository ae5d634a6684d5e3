/* SPDX-License-Identifier: MIT
 * Owns the size from which one backend is faster than another: where the ratio of their times, over the logarithm of a
 * swept parameter, crosses 1. */
#include "parallel/formulas.h"
#include "parallel/sweep.h"
#include "base/json.h"

#include <math.h>
#include <string.h>

/* Two series at the values that both have. */
typedef struct {
  guint n;
  double *x, *room; /* `room`: n values for one round */
  gboolean falling; /* b is faster below the crossing, not above */
  GPtrArray *cells; /* of BhMerged: a's, then b's */
} Pair;

static void pair_clear(Pair *pair) {
  g_free(pair->x);
  g_free(pair->room);
  g_ptr_array_unref(pair->cells);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Pair, pair_clear)

static void pair_fill(Pair *pair, const BhSeries *a, const BhSeries *b) {
  g_autoptr(GPtrArray) theirs = g_ptr_array_new();
  pair->cells = g_ptr_array_new();
  pair->x = g_new(double, a->cells->len);
  pair->room = g_new(double, 2 * a->cells->len);
  for (guint i = 0, k = 0; i < a->cells->len; i++) {
    while (k < b->cells->len && b->x[k] < a->x[i])
      k++;
    if (k == b->cells->len || b->x[k] != a->x[i])
      continue;
    pair->x[pair->n++] = a->x[i];
    g_ptr_array_add(pair->cells, a->cells->pdata[i]);
    g_ptr_array_add(theirs, b->cells->pdata[k]);
  }
  g_ptr_array_extend(pair->cells, theirs, NULL, NULL);
}

/* ln(a / b) at every value: above 0 where b is faster. */
static void advantages(const double *ns, double *ret, gconstpointer user) {
  const Pair *pair = user;
  for (guint i = 0; i < pair->n; i++)
    ret[i] = log(ns[i] / ns[pair->n + i]);
}

/* The crossing of one round. With noise it may have three: the middle one; or none, or two: then its ends are on one
 * side, and the crossing counts as lying outside on the side that they say. */
static void formula(const double *ns, double *ret, gconstpointer user) {
  const Pair *pair = user;
  double *y = pair->room, *at = pair->room + pair->n;
  advantages(ns, y, user);
  const guint n = bh_formula_crossings(pair->x, y, pair->n, 0, at);
  const gboolean faster = y[pair->n - 1] > 0;
  *ret = n % 2 ? log(at[n / 2]) : faster != pair->falling ? -INFINITY : INFINITY;
}

static guint rounds_agreeing(const Pair *pair, const BhTimes *times, const char *verdict) {
  guint agree = 0;
  g_autofree double *at = g_new(double, pair->n);
  for (guint r = 0; r < times->rounds; r++) {
    advantages(times->ns + (gsize)r * times->cells, pair->room, pair);
    const guint n = bh_formula_crossings(pair->x, pair->room, pair->n, 0, at);
    const gboolean faster = pair->room[pair->n - 1] > 0;
    const char *own = n > 1 ? "several" : n == 1 ? (faster ? "from" : "up-to") : faster ? "always" : "never";
    agree += !strcmp(own, verdict);
  }
  return agree;
}

static double outwards(double ln) {
  return isinf(ln) ? ln : exp(ln);
}

static BhEstimate crossing_of(const Pair *pair, const BhTimes *times) {
  BhEstimate estimate;
  bh_times_estimate(times, formula, pair, 1, &estimate);
  if (estimate.exists)
    estimate.value = exp(estimate.value);
  estimate.low = outwards(estimate.low);
  estimate.high = outwards(estimate.high);
  /* Between an end and what lies outside there is no measured size. */
  if (estimate.interval && estimate.low < pair->x[0])
    estimate.low = -INFINITY;
  if (estimate.interval && estimate.high > pair->x[pair->n - 1])
    estimate.high = INFINITY;
  return estimate;
}

static void put_verdict(JsonObject *object, Pair *pair, const BhTimes *times) {
  g_autofree BhEstimate *points = g_new(BhEstimate, pair->n);
  g_autofree double *y = g_new(double, pair->n), *at = g_new(double, pair->n);
  JsonArray *ratios = json_array_new(), *crossings = json_array_new();
  bh_times_estimate(times, advantages, pair, pair->n, points);
  for (guint i = 0; i < pair->n; i++) {
    JsonObject *one = json_object_new();
    BhEstimate ratio = points[i];
    y[i] = ratio.value;
    ratio.value = exp(ratio.value);
    ratio.low = exp(ratio.low);
    ratio.high = exp(ratio.high);
    json_object_set_double_member(one, "x", pair->x[i]);
    bh_model_put(one, "ratio", &ratio);
    json_array_add_object_element(ratios, one);
  }
  const guint n = bh_formula_crossings(pair->x, y, pair->n, 0, at);
  pair->falling = n == 1 && y[pair->n - 1] < 0;
  const char *verdict = n > 1      ? "several"
                        : n == 1   ? (pair->falling ? "up-to" : "from")
                        : y[0] > 0 ? "always"
                        : y[0] < 0 ? "never"
                                   : "equal";
  for (guint i = 0; i < n; i++)
    json_array_add_double_element(crossings, at[i]);
  const BhEstimate crossing = n == 1  ? crossing_of(pair, times)
                              : n > 1 ? bh_estimate_none("there are several")
                                      : bh_estimate_none("there is none among the sizes measured");
  json_object_set_string_member(object, "verdict", verdict);
  bh_model_put(object, "crossing", &crossing);
  json_object_set_array_member(object, "crossings", crossings);
  json_object_set_int_member(object, "rounds", times->rounds);
  json_object_set_int_member(object, "rounds_agreeing", rounds_agreeing(pair, times, verdict));
  json_object_set_array_member(object, "ratios", ratios);
}

static JsonObject *kind_object(Pair *pair, BhTimeKind kind) {
  const char *why = "the two have fewer than 2 sizes in common";
  JsonObject *object = json_object_new();
  g_autoptr(BhTimes) times = pair->n >= 2 ? bh_times_new(pair->cells, kind, &why) : NULL;
  bh_json_put_text(object, "reason", times ? NULL : why);
  if (times) {
    put_verdict(object, pair, times);
    return object;
  }
  const BhEstimate none = bh_estimate_none(why);
  json_object_set_null_member(object, "verdict");
  bh_model_put(object, "crossing", &none);
  json_object_set_array_member(object, "crossings", json_array_new());
  json_object_set_int_member(object, "rounds", 0);
  json_object_set_int_member(object, "rounds_agreeing", 0);
  json_object_set_array_member(object, "ratios", json_array_new());
  return object;
}

static JsonObject *pair_object(const BhSeries *a, const BhSeries *b) {
  g_auto(Pair) pair = {0};
  JsonObject *object = json_object_new();
  pair_fill(&pair, a, b);
  json_object_set_string_member(object, "a", a->side);
  json_object_set_string_member(object, "b", b->side);
  json_object_set_object_member(object, "steady", kind_object(&pair, BH_TIME_STEADY));
  json_object_set_object_member(object, "total", kind_object(&pair, BH_TIME_TOTAL));
  return object;
}

/* The series of the base at the largest size, or NULL. */
static const BhSeries *base_series(const BhSweep *sweep) {
  for (guint s = 0; s < sweep->series->len; s++) {
    const BhSeries *series = g_ptr_array_index(sweep->series, s);
    const BhMerged *last = series->cells->pdata[series->cells->len - 1];
    if (series->x[series->cells->len - 1] == sweep->largest && last->base == last)
      return series;
  }
  return NULL;
}

static const char *backend_of(const BhSeries *series) {
  return ((const BhMerged *)series->cells->pdata[0])->first->backend;
}

static void add_pairs(JsonArray *pairs, const BhSweep *sweep, char **between) {
  const BhSeries *base = base_series(sweep);
  for (guint i = 0; i < sweep->series->len; i++) {
    const BhSeries *a = g_ptr_array_index(sweep->series, i);
    if (between ? strcmp(backend_of(a), between[0]) != 0 : a != base)
      continue;
    for (guint k = 0; k < sweep->series->len; k++) {
      const BhSeries *b = g_ptr_array_index(sweep->series, k);
      const gboolean twice = between && !strcmp(between[0], between[1]) && k < i;
      if (a != b && !twice && (!between || !strcmp(backend_of(b), between[1])))
        json_array_add_object_element(pairs, pair_object(a, b));
    }
  }
}

static gboolean has_backend(const BhAnalysis *analysis, const char *name) {
  for (guint i = 0; i < analysis->cells->len; i++)
    if (!strcmp(((const BhMerged *)g_ptr_array_index(analysis->cells, i))->first->backend, name))
      return TRUE;
  return FALSE;
}

static gboolean check_between(const BhAnalysis *analysis, char **between, GError **error) {
  if (g_strv_length(between) != 2 || !*between[0] || !*between[1]) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "--between=%s: expected two backends, as in --between=A,B",
                analysis->options->between);
    return FALSE;
  }
  for (guint i = 0; i < 2; i++)
    if (!has_backend(analysis, between[i])) {
      g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "--between=%s: no cell of this journal has the backend '%s'",
                  analysis->options->between, between[i]);
      return FALSE;
    }
  return TRUE;
}

JsonObject *bh_crossover(const BhAnalysis *analysis, GError **error) {
  g_auto(GStrv) between = analysis->options->between ? g_strsplit(analysis->options->between, ",", -1) : NULL;
  if (between && !check_between(analysis, between, error))
    return NULL;
  JsonArray *list = json_array_new();
  g_autoptr(GPtrArray) sweeps = bh_sweep_all(analysis);
  for (guint i = 0; i < sweeps->len; i++) {
    const BhSweep *sweep = g_ptr_array_index(sweeps, i);
    JsonObject *object = json_object_new();
    JsonArray *pairs = json_array_new();
    bh_sweep_put(object, sweep);
    add_pairs(pairs, sweep, between);
    bh_json_put_text(object, "reason",
                     json_array_get_length(pairs)    ? NULL
                     : between || base_series(sweep) ? "no two series to compare"
                                                     : "no verified serial series to compare with: say --between=A,B");
    json_object_set_array_member(object, "pairs", pairs);
    json_array_add_object_element(list, object);
  }
  return bh_model_section("sweeps", list, BH_SWEEP_NONE);
}
