/* SPDX-License-Identifier: MIT
 * Owns the roofline: where a cell stands under the peaks that were measured in the same run with as many workers. A
 * cell is a roof when its plugin states the fact `roof`: "flops", "bandwidth", or "bandwidth NAME" for what is no main
 * memory (a cache). Above 100 % of the roof the accounting is wrong, and that is what is said. */
#include "parallel/formulas.h"
#include "parallel/model.h"
#include "base/json.h"
#include "base/text.h"

#include <math.h>
#include <string.h>

typedef enum { ROOF_NONE = 0, ROOF_FLOPS, ROOF_BANDWIDTH, ROOF_OTHER } RoofKind;

static RoofKind roof_kind(const BhMerged *cell) {
  const char *fact = bh_family_fact(cell, "roof");
  return !fact                        ? ROOF_NONE
         : !strcmp(fact, "flops")     ? ROOF_FLOPS
         : !strcmp(fact, "bandwidth") ? ROOF_BANDWIDTH
                                      : ROOF_OTHER;
}

static double per_run(const BhMerged *cell, RoofKind kind) {
  return kind == ROOF_FLOPS ? cell->first->flops : cell->first->bytes;
}

/* The highest roof of this kind with this many workers, on any backend, or NULL. Chosen once for all rounds. */
static const BhMerged *best_roof(const GPtrArray *roofs, RoofKind kind, guint workers) {
  const BhMerged *best = NULL;
  double best_rate = 0, rate;
  for (guint i = 0; i < roofs->len; i++) {
    const BhMerged *cell = g_ptr_array_index(roofs, i);
    if (roof_kind(cell) == kind && cell->workers == workers && bh_merge_rate(cell, per_run(cell, kind), &rate) &&
        rate > best_rate) {
      best = cell;
      best_rate = rate;
    }
  }
  return best;
}

/* ---- one cell ---- */

enum { GFLOPS, GB, ROOF_GFLOPS, ROOF_GB, SHARE, N_FIGURES };

typedef struct {
  double flops, bytes;           /* of the cell, per run */
  double roof_flops, roof_bytes; /* of the roofs' cells, per run; 0: this roof is not needed */
  guint flops_at, bytes_at;      /* where the roofs' times are; the cell's is first */
} Roofs;

static void formula(const double *ns, double *ret, gconstpointer user) {
  const Roofs *r = user;
  const double peak_flops = r->roof_flops > 0 ? r->roof_flops / ns[r->flops_at] : 0; /* per ns: giga per second */
  const double peak_bytes = r->roof_bytes > 0 ? r->roof_bytes / ns[r->bytes_at] : 0;
  const double most = bh_formula_roof(r->flops, r->bytes, peak_flops, peak_bytes);
  ret[GFLOPS] = r->flops > 0 ? r->flops / ns[0] : NAN;
  ret[GB] = r->bytes > 0 ? r->bytes / ns[0] : NAN;
  ret[ROOF_GFLOPS] = r->flops > 0 ? most * r->flops : NAN;
  ret[ROOF_GB] = r->bytes > 0 ? most * r->bytes : NAN;
  ret[SHARE] = 1 / ns[0] / most;
}

static const char *const figure_names[] = {"gflops", "gb_per_s", "roof_gflops", "roof_gb_per_s", "share"};

/* The share is above 1, and that is more than its interval could be. */
static gboolean is_beyond(const BhEstimate *share) {
  return share->exists && share->value > 1 && (!share->interval || share->low > 1);
}

static void say_beyond(const BhAnalysis *analysis, const BhMerged *cell, const BhEstimate *share, gboolean memory,
                       const GPtrArray *roofs) {
  const BhMerged *other = memory ? best_roof(roofs, ROOF_OTHER, cell->workers) : NULL;
  double rate = 0, own = 0;
  const gboolean cached = other && bh_merge_rate(other, other->first->bytes, &rate) &&
                          bh_merge_rate(cell, cell->first->bytes, &own) && own <= rate;
  bh_model_error(analysis,
                 memory
                     ? "%s: %.0f %% of the memory roof: doubt bytes_read + bytes_written of its cost model, the roof "
                       "(where no cell measured reading alone: stores move more than is counted)%s"
                     : "%s: %.0f %% of the compute roof: doubt flops of its cost model, or the roof (a variant "
                       "with wider vectors, another precision)%s",
                 cell->first->label, share->value * 100,
                 !memory  ? ""
                 : cached ? "; the rate is one that a cache here reaches, so its data may not come from memory"
                          : ", or its data come from a cache");
}

static void add_times(JsonObject *object, const BhAnalysis *analysis, const BhMerged *cell, const GPtrArray *roofs,
                      const BhMerged *flops, const BhMerged *bytes) {
  BhEstimate figures[N_FIGURES];
  const char *why = NULL;
  Roofs r = {.flops = cell->first->flops, .bytes = cell->first->bytes};
  g_autoptr(GPtrArray) cells = g_ptr_array_new();
  g_ptr_array_add(cells, (gpointer)cell);
  if (flops) {
    r.roof_flops = flops->first->flops;
    r.flops_at = cells->len;
    g_ptr_array_add(cells, (gpointer)flops);
  }
  if (bytes) {
    r.roof_bytes = bytes->first->bytes;
    r.bytes_at = cells->len;
    g_ptr_array_add(cells, (gpointer)bytes);
  }
  g_autoptr(BhTimes) times = bh_times_new(cells, BH_TIME_STEADY, &why);
  if (times)
    bh_times_estimate(times, formula, &r, N_FIGURES, figures);
  for (guint k = 0; k < N_FIGURES; k++) {
    if (!times)
      figures[k] = bh_estimate_none(why);
    else if (!figures[k].exists)
      figures[k] = bh_estimate_none(k == GFLOPS || k == ROOF_GFLOPS ? "the cost model has no flops"
                                                                    : "the cost model has no bytes");
    bh_model_put(object, figure_names[k], &figures[k]);
  }
  /* The roof that binds: the one under which a run takes longer. */
  double compute = 0, memory = 0;
  if (times && flops)
    compute = r.flops / r.roof_flops * times->pooled[r.flops_at];
  if (times && bytes)
    memory = r.bytes / r.roof_bytes * times->pooled[r.bytes_at];
  bh_json_put_text(object, "bound", !times ? NULL : memory > compute ? "memory" : "compute");
  const gboolean beyond = times && is_beyond(&figures[SHARE]);
  json_object_set_boolean_member(object, "accounting_error", beyond);
  if (beyond)
    say_beyond(analysis, cell, &figures[SHARE], memory > compute, roofs);
}

static void put_none(JsonObject *object, const char *why) {
  const BhEstimate none = bh_estimate_none(why);
  for (guint k = 0; k < N_FIGURES; k++)
    bh_model_put(object, figure_names[k], &none);
  json_object_set_null_member(object, "bound");
  json_object_set_boolean_member(object, "accounting_error", FALSE);
}

static JsonObject *cell_object(const BhAnalysis *analysis, const BhMerged *cell, const GPtrArray *roofs) {
  JsonObject *object = json_object_new();
  const gboolean computes = cell->first->flops > 0, moves = cell->first->bytes > 0;
  const BhMerged *flops = computes ? best_roof(roofs, ROOF_FLOPS, cell->workers) : NULL;
  const BhMerged *bytes = moves ? best_roof(roofs, ROOF_BANDWIDTH, cell->workers) : NULL;
  bh_merge_put_identity(object, cell);
  bh_json_put_number(object, "intensity", moves, moves ? cell->first->flops / cell->first->bytes : 0);
  bh_json_put_text(object, "flops_roof", flops ? flops->first->id : NULL);
  bh_json_put_text(object, "bandwidth_roof", bytes ? bytes->first->id : NULL);
  if (!cell->steady.exists)
    put_none(object, cell->steady.why);
  else if (computes && !flops)
    put_none(object, "no flops roof was measured in this run with as many workers");
  else if (moves && !bytes)
    put_none(object, "no bandwidth roof was measured in this run with as many workers");
  else
    add_times(object, analysis, cell, roofs, flops, bytes);
  return object;
}

/* ---- the roofs ---- */

static void giga(const double *ns, double *ret, gconstpointer user) {
  *ret = *(const double *)user / *ns;
}

static gboolean fact_bytes(const BhMerged *cell, const char *name, guint64 *ret) {
  const char *text = bh_family_fact(cell, name);
  return text && g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT64, ret, NULL);
}

/* The sizes are the cell's to choose, the cache is the device's, and neither plugin knows the other: here they meet.
 * NULL: the array lies where its roof says, or the facts do not tell. Caller frees. */
static char *doubt(const BhMerged *cell, RoofKind kind) {
  guint64 array, cache;
  if (!fact_bytes(cell, "array bytes", &array) || !fact_bytes(cell, "device cache bytes", &cache) ||
      (kind == ROOF_BANDWIDTH ? array / 2 >= cache : array <= cache))
    return NULL;
  g_autofree char *has = bh_text_bytes((double)array), *caches = bh_text_bytes((double)cache);
  if (kind == ROOF_BANDWIDTH)
    return g_strdup_printf("its array (%s) is less than twice the device's cache (%s): part of it may come from there",
                           has, caches);
  return g_strdup_printf("its array (%s) is larger than the device's cache (%s, as its driver says): it may come from "
                         "memory",
                         has, caches);
}

static JsonObject *roof_object(const BhMerged *cell, gboolean highest) {
  JsonObject *object = json_object_new();
  g_autofree char *note = doubt(cell, roof_kind(cell));
  const RoofKind kind = roof_kind(cell);
  const double work = per_run(cell, kind);
  const char *why = NULL;
  BhEstimate rate;
  g_autoptr(GPtrArray) one = g_ptr_array_new();
  g_ptr_array_add(one, (gpointer)cell);
  g_autoptr(BhTimes) times = bh_times_new(one, BH_TIME_STEADY, &why);
  if (times && work > 0)
    bh_times_estimate(times, giga, &work, 1, &rate);
  else
    rate = bh_estimate_none(times ? "the cost model has no such work" : why);
  bh_merge_put_identity(object, cell);
  json_object_set_string_member(object, "kind", bh_family_fact(cell, "roof"));
  json_object_set_string_member(object, "unit", kind == ROOF_FLOPS ? "GFLOP/s" : "GB/s");
  bh_model_put(object, "rate", &rate);
  json_object_set_boolean_member(object, "highest", highest);
  bh_json_put_text(object, "note", note);
  return object;
}

enum { PEAK_GFLOPS, PEAK_GB, BALANCE, N_PEAKS };
static const char *const peak_names[] = {"gflops", "gb_per_s", "balance"};

typedef struct {
  double flops, bytes; /* per run of each roof */
} Peaks;

/* `ns`: the flops roof, the bandwidth roof. */
static void peaks_formula(const double *ns, double *ret, gconstpointer user) {
  const Peaks *p = user;
  ret[PEAK_GFLOPS] = p->flops / ns[0];
  ret[PEAK_GB] = p->bytes / ns[1];
  ret[BALANCE] = ret[PEAK_GFLOPS] / ret[PEAK_GB];
}

/* The machine's balance with as many workers: what a loop must do for each byte to be bound by computing. */
static JsonObject *balance_object(guint workers, const BhMerged *flops, const BhMerged *bytes) {
  JsonObject *object = json_object_new();
  const char *why = NULL;
  const Peaks peaks = {flops->first->flops, bytes->first->bytes};
  BhEstimate figures[N_PEAKS];
  g_autoptr(GPtrArray) both = g_ptr_array_new();
  g_ptr_array_add(both, (gpointer)flops);
  g_ptr_array_add(both, (gpointer)bytes);
  g_autoptr(BhTimes) times = bh_times_new(both, BH_TIME_STEADY, &why);
  if (times)
    bh_times_estimate(times, peaks_formula, &peaks, N_PEAKS, figures);
  json_object_set_int_member(object, "workers", workers);
  for (guint k = 0; k < N_PEAKS; k++) {
    if (!times)
      figures[k] = bh_estimate_none(why);
    bh_model_put(object, peak_names[k], &figures[k]);
  }
  return object;
}

static gint by_workers(gconstpointer a, gconstpointer b) {
  const BhMerged *x = *(const BhMerged *const *)a, *y = *(const BhMerged *const *)b;
  return (x->workers > y->workers) - (x->workers < y->workers);
}

static JsonArray *balances(const GPtrArray *roofs) {
  JsonArray *list = json_array_new();
  g_autoptr(GPtrArray) sorted = g_ptr_array_copy((GPtrArray *)roofs, NULL, NULL);
  g_ptr_array_sort(sorted, by_workers);
  for (guint i = 0, last = 0; i < sorted->len; i++) {
    const guint workers = ((const BhMerged *)sorted->pdata[i])->workers;
    const BhMerged *flops = best_roof(roofs, ROOF_FLOPS, workers), *bytes = best_roof(roofs, ROOF_BANDWIDTH, workers);
    if (workers != last && flops && bytes)
      json_array_add_object_element(list, balance_object(workers, flops, bytes));
    last = workers;
  }
  return list;
}

/* Of the two kinds that a cell is held against. */
static gboolean is_highest(const GPtrArray *roofs, const BhMerged *cell) {
  const RoofKind kind = roof_kind(cell);
  return kind != ROOF_OTHER && best_roof(roofs, kind, cell->workers) == cell;
}

static GPtrArray *find_roofs(const BhAnalysis *analysis) {
  GPtrArray *roofs = g_ptr_array_new();
  const char *glob = analysis->options->roofs;
  for (guint i = 0; i < analysis->cells->len; i++) {
    const BhMerged *cell = g_ptr_array_index(analysis->cells, i);
    if (roof_kind(cell) != ROOF_NONE && (!glob || g_pattern_match_simple(glob, cell->first->label)))
      g_ptr_array_add(roofs, (gpointer)cell);
  }
  return roofs;
}

JsonObject *bh_roofline(const BhAnalysis *analysis, GError **error) {
  g_autoptr(GPtrArray) roofs = find_roofs(analysis);
  if (!roofs->len && analysis->options->roofs) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "--roofs='%s' matches the label of no cell that is a roof",
                analysis->options->roofs);
    return NULL;
  }
  JsonArray *list = json_array_new(), *cells = json_array_new();
  for (guint i = 0; i < roofs->len; i++) {
    const BhMerged *cell = g_ptr_array_index(roofs, i);
    json_array_add_object_element(list, roof_object(cell, is_highest(roofs, cell)));
  }
  for (guint i = 0; roofs->len && i < analysis->cells->len; i++) {
    const BhMerged *cell = g_ptr_array_index(analysis->cells, i);
    if (roof_kind(cell) == ROOF_NONE && (cell->first->flops > 0 || cell->first->bytes > 0))
      json_array_add_object_element(cells, cell_object(analysis, cell, roofs));
  }
  const gboolean none = json_array_get_length(cells) == 0;
  JsonObject *section = json_object_new();
  json_object_set_array_member(section, "roofs", list);
  json_object_set_array_member(section, "machine", balances(roofs));
  json_object_set_array_member(section, "cells", cells);
  bh_json_put_text(section, "reason",
                   !roofs->len ? "no cell of this run is a roof: add a workload that measures peaks to the matrix"
                   : none      ? "no other cell has flops or bytes in its cost model"
                               : NULL);
  return section;
}
