/* SPDX-License-Identifier: MIT
 * Owns histories for other programs: CSV (one row per run and cell), JSON (runs with their cells), change points. */
#include "base/json.h"
#include "history/timeline.h"
#include "results/csv.h"

#define SCHEMA 1

static const BhStoreSeries *series_at(const BhStoreHistory *history, guint i) {
  return history->series->pdata[i];
}

static void put_int(GString *out, gboolean *started, gint64 value) {
  g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, value);
  bh_csv_raw(out, started, text);
}

static void put_row(GString *out, const BhStorePoint *point) {
  const BhStoreRun *run = point->run;
  const BhStoredCell *cell = point->cell;
  const gboolean interval = cell->exists && cell->basis != BH_BASIS_NONE;
  gboolean started = FALSE;
  put_int(out, &started, run->id);
  bh_csv_text(out, &started, run->started);
  bh_csv_text(out, &started, run->commit);
  bh_csv_raw(out, &started, run->dirty ? "true" : "false");
  const char *texts[] = {run->branch, run->label, run->matrix, run->machine,   run->benchhost,
                         run->arm,    cell->id,   cell->label, cell->workload, cell->backend};
  for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
    bh_csv_text(out, &started, texts[i]);
  bh_csv_raw(out, &started, bh_cell_status_name(cell->status));
  bh_csv_text(out, &started, cell->reason);
  bh_csv_text(out, &started, cell->figure);
  bh_csv_text(out, &started, cell->unit);
  bh_csv_raw(out, &started, cell->better == BH_HIGHER ? "higher" : "lower");
  bh_csv_number(out, &started, cell->exists, cell->median);
  bh_csv_number(out, &started, interval, cell->low);
  bh_csv_number(out, &started, interval, cell->high);
  bh_csv_raw(out, &started, interval ? bh_basis_name(cell->basis) : "");
  put_int(out, &started, cell->n);
  put_int(out, &started, cell->rounds);
  bh_csv_number(out, &started, cell->has_total, cell->total_ns);
  g_string_append(out, "\r\n");
}

char *bh_timeline_csv(const BhStoreHistory *history) {
  GString *out =
      g_string_new("run,started,commit,dirty,branch,run_label,matrix,machine,benchhost,arm,cell,label,workload,"
                   "backend,status,reason,figure,unit,better,median,low,high,basis,n,rounds,total_ns\r\n");
  for (guint i = 0; i < history->series->len; i++)
    for (guint k = 0; k < series_at(history, i)->points->len; k++)
      put_row(out, series_at(history, i)->points->pdata[k]);
  return g_string_free(out, FALSE);
}

/* ---- JSON ---- */

static JsonObject *run_object(const BhStoreRun *run) {
  JsonObject *object = json_object_new();
  json_object_set_int_member(object, "run", run->id);
  const struct {
    const char *key, *text;
  } texts[] = {{"started", run->started}, {"added", run->added},
               {"commit", run->commit},   {"branch", run->branch},
               {"label", run->label},     {"machine", run->machine},
               {"matrix", run->matrix},   {"matrix_digest", run->matrix_digest},
               {"journal", run->journal}, {"digest", run->digest},
               {"arm", run->arm},         {"benchhost", run->benchhost}};
  for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
    bh_json_put_text(object, texts[i].key, texts[i].text);
  json_object_set_boolean_member(object, "dirty", run->dirty);
  json_object_set_boolean_member(object, "finished", run->finished);
  json_object_set_int_member(object, "rounds", run->rounds);
  return object;
}

static JsonObject *cell_object(const BhStoredCell *cell) {
  JsonObject *object = json_object_new();
  const gboolean interval = cell->exists && cell->basis != BH_BASIS_NONE;
  const struct {
    const char *key, *text;
  } texts[] = {{"id", cell->id},
               {"label", cell->label},
               {"workload", cell->workload},
               {"backend", cell->backend},
               {"status", bh_cell_status_name(cell->status)},
               {"reason", cell->reason},
               {"figure", cell->figure},
               {"unit", cell->unit},
               {"better", cell->better == BH_HIGHER ? "higher" : "lower"}};
  for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
    bh_json_put_text(object, texts[i].key, texts[i].text);
  bh_json_put_number(object, "median", cell->exists, cell->median);
  bh_json_put_number(object, "low", interval, cell->low);
  bh_json_put_number(object, "high", interval, cell->high);
  bh_json_put_text(object, "basis", interval ? bh_basis_name(cell->basis) : NULL);
  json_object_set_int_member(object, "n", cell->n);
  json_object_set_int_member(object, "rounds", cell->rounds);
  JsonArray *values = json_array_sized_new(cell->values->len);
  for (guint i = 0; i < cell->values->len; i++)
    json_array_add_double_element(values, g_array_index(cell->values, double, i));
  json_object_set_array_member(object, "round_values", values);
  bh_json_put_number(object, "total_ns", cell->has_total, cell->total_ns);
  return object;
}

char *bh_timeline_json(const BhStoreHistory *history) {
  g_autoptr(GHashTable) cells = g_hash_table_new(NULL, NULL); /* of (BhStoreRun, JsonArray); the tree's */
  JsonArray *runs = json_array_new();
  for (guint i = 0; i < history->runs->len; i++) {
    JsonObject *object = run_object(history->runs->pdata[i]);
    JsonArray *list = json_array_new();
    json_object_set_array_member(object, "cells", list);
    g_hash_table_insert(cells, history->runs->pdata[i], list);
    json_array_add_object_element(runs, object);
  }
  for (guint i = 0; i < history->series->len; i++)
    for (guint k = 0; k < series_at(history, i)->points->len; k++) {
      const BhStorePoint *point = series_at(history, i)->points->pdata[k];
      json_array_add_object_element(g_hash_table_lookup(cells, point->run), cell_object(point->cell));
    }
  JsonNode *root = json_node_new(JSON_NODE_ARRAY);
  json_node_take_array(root, runs);
  return bh_json_put_out(root);
}

char *bh_timeline_changes_json(const GPtrArray *changes, guint tested, const BhTimelineTest *test) {
  JsonObject *object = json_object_new();
  JsonArray *list = json_array_sized_new(changes->len);
  json_object_set_string_member(object, "type", "changes");
  json_object_set_int_member(object, "schema", SCHEMA);
  json_object_set_boolean_member(object, "advisory", TRUE);
  json_object_set_double_member(object, "alpha", test->alpha);
  json_object_set_int_member(object, "permutations", test->permutations);
  json_object_set_int_member(object, "seed", (gint64)test->seed);
  json_object_set_int_member(object, "series_tested", tested);
  for (guint i = 0; i < changes->len; i++) {
    const BhTimelineChange *change = changes->pdata[i];
    JsonObject *entry = json_object_new();
    json_object_set_string_member(entry, "id", change->series->id);
    json_object_set_string_member(entry, "label", change->series->label);
    json_object_set_string_member(entry, "machine", change->series->machine);
    bh_json_put_text(entry, "arm", change->series->arm);
    json_object_set_string_member(entry, "figure", change->series->figure);
    json_object_set_string_member(entry, "unit", change->after->cell->unit);
    json_object_set_double_member(entry, "from", change->from);
    json_object_set_double_member(entry, "to", change->to);
    json_object_set_double_member(entry, "p", change->p);
    json_object_set_int_member(entry, "runs_before", change->n_before);
    json_object_set_int_member(entry, "runs_after", change->n_after);
    json_object_set_object_member(entry, "before", run_object(change->before->run));
    json_object_set_object_member(entry, "after", run_object(change->after->run));
    json_array_add_object_element(list, entry);
  }
  json_object_set_array_member(object, "changes", list);
  JsonNode *root = json_node_new(JSON_NODE_OBJECT);
  json_node_take_object(root, object);
  return bh_json_put_out(root);
}
