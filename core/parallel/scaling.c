/* SPDX-License-Identifier: MIT
 * Owns speedup, efficiency and the serial fraction: over the best serial cell of the same verified work, and over the
 * cell's own kind with one worker. */
#include "parallel/formulas.h"
#include "parallel/model.h"
#include "base/json.h"

#include <math.h>
#include <string.h>

enum { SPEEDUP, EFFICIENCY, KARP_FLATT, N_FIGURES };

static const char *const over_serial[] = {"speedup", "efficiency", "karp_flatt"};
static const char *const over_self[] = {"self_speedup", "self_efficiency", "self_karp_flatt"};

/* `ns`: the base, the cell. */
static void formula(const double *ns, double *ret, gconstpointer user) {
  const double p = *(const guint *)user;
  ret[SPEEDUP] = ns[0] / ns[1];
  ret[EFFICIENCY] = ret[SPEEDUP] / p;
  ret[KARP_FLATT] = p >= 2 ? bh_formula_karp_flatt(ret[SPEEDUP], p) : NAN;
}

static void put_ratio(JsonObject *object, const char *const *names, const BhMerged *base, const BhMerged *cell,
                      BhTimeKind kind, guint p, const char *no_base) {
  BhEstimate figures[N_FIGURES];
  const char *why = no_base;
  g_autoptr(BhTimes) times = NULL;
  if (base && p) {
    g_autoptr(GPtrArray) both = g_ptr_array_new();
    g_ptr_array_add(both, (gpointer)base);
    g_ptr_array_add(both, (gpointer)cell);
    times = bh_times_new(both, kind, &why);
  } else if (base) {
    why = "the number of workers is not known";
  }
  if (times)
    bh_times_estimate(times, formula, &p, N_FIGURES, figures);
  for (guint k = 0; k < N_FIGURES; k++)
    figures[k] = times ? figures[k] : bh_estimate_none(why);
  if (times && base == cell) {
    figures[SPEEDUP] = bh_estimate_exact(1, "the base itself");
    figures[EFFICIENCY] = bh_estimate_exact(1. / p, "the base itself");
  }
  if (times && p < 2)
    figures[KARP_FLATT] = bh_estimate_none("needs 2 processors or more");
  for (guint k = 0; k < N_FIGURES; k++)
    bh_model_put(object, names[k], &figures[k]);
}

typedef struct {
  const BhAnalysis *analysis;
  GHashTable *single; /* of (family, BhMerged): verified cells with one worker */
} Scaling;

static void find_single(Scaling *scaling) {
  for (guint i = 0; i < scaling->analysis->cells->len; i++) {
    const BhMerged *cell = g_ptr_array_index(scaling->analysis->cells, i);
    if (cell->workers == 1 && cell->steady.exists)
      g_hash_table_insert(scaling->single, bh_family_key(cell, NULL, TRUE), (gpointer)cell);
  }
}

/* One worker, and else the same: what `cell` is compared with on its own terms. */
static const BhMerged *own_base(const Scaling *scaling, const BhMerged *cell) {
  g_autofree char *key = bh_family_key(cell, NULL, TRUE);
  return g_hash_table_lookup(scaling->single, key);
}

/* How many processors the workers can use, and what has to be said of it. */
static guint processors(const BhAnalysis *analysis, const BhMerged *cell, JsonArray *notes) {
  const guint cores = analysis->cores;
  if (cell->workers == 0 || cores == 0 || cell->workers <= cores)
    return cell->workers;
  g_autofree char *note = NULL;
  const gboolean computes = bh_family_flagged(cell, "oversubscribed");
  if (computes)
    note = g_strdup_printf("%u workers on %u cores: p = %u", cell->workers, cores, cores);
  else
    note = g_strdup_printf("%u workers on %u cores, and not flagged oversubscribed, as they mostly wait: p = %u",
                           cell->workers, cores, cell->workers);
  json_array_add_string_element(notes, note);
  return computes ? cores : cell->workers;
}

static void add_negative(JsonObject *steady, const char *name, JsonArray *notes, const char *note) {
  JsonObject *figure = json_object_get_object_member(steady, name);
  if (!json_object_get_null_member(figure, "value") && json_object_get_double_member(figure, "value") < 0)
    json_array_add_string_element(notes, note);
}

static JsonObject *cell_object(const Scaling *scaling, const BhMerged *cell) {
  JsonObject *object = json_object_new();
  JsonArray *notes = json_array_new();
  const BhMerged *own = own_base(scaling, cell);
  const guint p = processors(scaling->analysis, cell, notes);
  bh_merge_put_identity(object, cell);
  json_object_set_string_member(object, "status", bh_cell_status_name(cell->status));
  bh_json_put_text(object, "status_reason", cell->reason);
  if (p)
    json_object_set_int_member(object, "p", p);
  else
    json_object_set_null_member(object, "p");
  for (guint kind = BH_TIME_STEADY; kind <= BH_TIME_TOTAL; kind++) {
    JsonObject *figures = json_object_new();
    put_ratio(figures, over_serial, cell->base, cell, (BhTimeKind)kind, p, "no verified serial cell of the same work");
    put_ratio(figures, over_self, own, cell, (BhTimeKind)kind, p,
              "no verified cell of this backend and these options with 1 worker");
    json_object_set_object_member(object, kind == BH_TIME_TOTAL ? "total" : "steady", figures);
  }
  add_negative(
      json_object_get_object_member(object, "steady"), "karp_flatt", notes,
      "negative serial fraction: faster than p times the base (superlinear: more cache, or another algorithm)");
  json_object_set_array_member(object, "notes", notes);
  return object;
}

static char *group_key(const BhMerged *cell, gconstpointer user) {
  (void)user;
  return g_strdup(cell->group);
}

static JsonObject *group_object(const Scaling *scaling, const GPtrArray *cells) {
  const BhMerged *first = g_ptr_array_index(cells, 0);
  JsonObject *object = json_object_new();
  JsonArray *list = json_array_new();
  g_autofree char *title = bh_family_work(first, NULL);
  json_object_set_string_member(object, "title", title);
  json_object_set_string_member(object, "workload", first->first->workload);
  json_object_set_object_member(object, "params", json_object_ref(first->first->params));
  if (first->base) {
    JsonObject *base = json_object_new();
    bh_merge_put_identity(base, first->base);
    json_object_set_object_member(object, "base", base);
  } else {
    json_object_set_null_member(object, "base");
  }
  for (guint i = 0; i < cells->len; i++)
    json_array_add_object_element(list, cell_object(scaling, g_ptr_array_index(cells, i)));
  json_object_set_array_member(object, "cells", list);
  return object;
}

JsonObject *bh_scaling(const BhAnalysis *analysis) {
  JsonArray *groups = json_array_new();
  g_autoptr(GHashTable) single = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  Scaling scaling = {.analysis = analysis, .single = single};
  find_single(&scaling);
  g_autoptr(GPtrArray) families = bh_family_split(analysis->cells, group_key, NULL);
  for (guint i = 0; i < families->len; i++) {
    const GPtrArray *cells = g_ptr_array_index(families, i);
    gboolean several = FALSE;
    for (guint k = 0; k < cells->len; k++)
      several |= ((const BhMerged *)g_ptr_array_index(cells, k))->workers > 1;
    if (several)
      json_array_add_object_element(groups, group_object(&scaling, cells));
  }
  return bh_model_section("groups", groups, "no cell has more than one worker");
}
